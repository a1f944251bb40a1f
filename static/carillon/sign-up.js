// Sign-up forms, on our page and on any other: works a little for the visitor, and keeps people on
// the page they are on. Without it the form is a plain one and works, too.
//
//   <form data-carillon-sign-up action="https://…/p/join/newsletter/" method="post"> … </form>
//   <script src="https://…/p/sign-up.js" defer></script>
//
// It needs no permission but script-src and connect-src for our host: no inline code, no eval, no
// styles of its own.

const K = [];
const H = [];
for (let n = 2; K.length < 64; n++) {
  let prime = true;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
  if (!prime) continue;
  const part = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
  if (H.length < 8) H.push(part(Math.sqrt(n)));
  K.push(part(Math.cbrt(n)));
}

const turned = (x, by) => (x >>> by) | (x << (32 - by));

// SHA-256 (FIPS 180-4) of a text, as eight numbers. crypto.subtle is slower for many short texts,
// and missing on pages without TLS.
function sha256(text) {
  const bytes = new TextEncoder().encode(text);
  const blocks = ((bytes.length + 8) >> 6) + 1;
  const words = new Int32Array(blocks * 16);
  bytes.forEach((byte, at) => (words[at >> 2] |= byte << (24 - (at % 4) * 8)));
  words[bytes.length >> 2] |= 0x80 << (24 - (bytes.length % 4) * 8);
  words[words.length - 1] = bytes.length * 8;
  const hash = [...H];
  const w = new Int32Array(64);
  for (let start = 0; start < words.length; start += 16) {
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        w[i] = words[start + i];
      } else {
        const x = w[i - 15];
        const y = w[i - 2];
        const s0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3);
        const s1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10);
        w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
      }
      const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
      const one = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
      const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, at) => (hash[at] = (hash[at] + value) | 0));
  }
  return hash;
}

// The number of zero bits that the hash begins with, as far as a puzzle may ask for (32).
const zeros = (text) => Math.clz32(sha256(text)[0]);

const pause = (ms) => new Promise((go) => setTimeout(go, ms));

async function solve({ puzzle, bits }, email) {
  for (let number = 0; ; number++) {
    if (number % 500 === 0) await pause(0); // the page stays alive
    if (zeros(`${puzzle}:${email}:${number}`) >= bits) return { puzzle, solution: String(number) };
  }
}

function begin(form) {
  const action = form.getAttribute("action");
  const field = form.elements.email;
  let work = null;
  let workedFor = "";

  async function worked() {
    const email = field.value.trim();
    if (email !== workedFor || !work) {
      workedFor = email;
      work = fetch(new URL("puzzle/", new URL(action, location.href)))
        .then((answer) => answer.json())
        .then((made) => solve(made, email));
    }
    return work;
  }

  function say(text) {
    const said = document.createElement("p");
    said.setAttribute("role", "status");
    said.textContent = text;
    form.replaceWith(said);
  }

  function complain(problems) {
    form.querySelectorAll("[data-problem]").forEach((each) => each.remove());
    for (const [name, sentences] of Object.entries(problems)) {
      const said = document.createElement("p");
      said.setAttribute("role", "alert");
      said.dataset.problem = name;
      said.textContent = sentences.join(" ");
      const named = form.elements[name];
      const first = named instanceof RadioNodeList ? named[0] : named;
      if (first) {
        first.setAttribute("aria-invalid", "true");
        first.closest("label, div, p")?.after(said);
      }
      if (!said.isConnected) form.append(said);
    }
    form.querySelector('[aria-invalid="true"]')?.focus();
  }

  async function send(extra) {
    const body = new URLSearchParams(new FormData(form));
    Object.entries(extra).forEach(([name, value]) => body.set(name, value));
    const headers = { Accept: "application/json" };
    return (await fetch(action, { method: "POST", body, headers })).json();
  }

  async function sendHere() {
    let answer = await send(await worked());
    if (answer.state === "step") {
      await pause(2500); // what people need to press once more
      answer = await send({ step: answer.step });
    }
    if (answer.state === "refused") return complain(answer.problems);
    if (answer.url) return location.assign(answer.url);
    return say(answer.words);
  }

  async function sendAsPage() {
    Object.entries(await worked()).forEach(([name, value]) => {
      const hidden = document.createElement("input");
      Object.assign(hidden, { type: "hidden", name, value });
      form.append(hidden);
    });
    form.submit();
  }

  field.addEventListener("change", () => field.value.includes("@") && worked().catch(() => null));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button:not([type=button])");
    if (button) button.disabled = true;
    const way = form.dataset.carillonSignUp === "page" ? sendAsPage : sendHere;
    way()
      .catch(() => form.submit()) // the plain way, where a script may not speak to us
      .finally(() => button && (button.disabled = false));
  });
}

document.querySelectorAll("form[data-carillon-sign-up]").forEach(begin);

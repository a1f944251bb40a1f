// The preference page's part for this browser: connect it, keep it known on each visit, disconnect
// it.
const part = document.getElementById("browsers");
const able = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

function start() {
  const { worker, connect, serverKey, fresh } = part.dataset;
  const button = part.querySelector("button[data-connect]");
  const said = part.querySelector("[data-said]");
  const tell = (name) => {
    said.textContent = said.dataset[name];
    said.hidden = false;
  };

  const registered = () => navigator.serviceWorker.register(worker);

  async function digest(text) {
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    const hex = (byte) => byte.toString(16).padStart(2, "0");
    return "sha256:" + Array.from(new Uint8Array(bytes), hex).join("");
  }

  async function send(subscription) {
    const { endpoint, keys } = subscription.toJSON();
    const body = new URLSearchParams({ endpoint, ...keys, server_key: serverKey });
    const answer = await fetch(connect, { method: "POST", body });
    if (!answer.ok) throw new Error(await answer.text());
    // for the service worker, which may have to say a new address while no page is open
    const home = new Response(JSON.stringify({ url: connect, server_key: serverKey }));
    await (await caches.open("carillon-push")).put("/p/push-home", home);
  }

  async function subscribe() {
    if ((await Notification.requestPermission()) !== "granted") return tell("denied");
    const registration = await registered();
    await navigator.serviceWorker.ready;
    const options = { userVisibleOnly: true, applicationServerKey: serverKey };
    let subscription;
    try {
      subscription = await registration.pushManager.subscribe(options);
    } catch (error) {
      if (error.name !== "InvalidStateError") throw error;
      // it is subscribed with a key of ours that was replaced
      await (await registration.pushManager.getSubscription()).unsubscribe();
      subscription = await registration.pushManager.subscribe(options);
    }
    await send(subscription);
    location.assign(part.dataset.done);
  }

  button.addEventListener("click", () => {
    button.disabled = true;
    subscribe()
      .catch(() => tell("failed"))
      .finally(() => (button.disabled = false));
  });

  async function visit() {
    const registration = await navigator.serviceWorker.getRegistration(worker);
    const subscription = registration && (await registration.pushManager.getSubscription());
    const key = subscription && (await digest(subscription.endpoint));
    const row = key && part.querySelector(`[data-key="${key}"]`);
    // A subscription that this page does not list is somebody else's, or was taken away: it stays
    // as it is.
    if (!row) {
      button.hidden = !serverKey || !fresh;
      return;
    }
    row.querySelector("[data-here]").hidden = false;
    row.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const forgotten = [subscription.unsubscribe(), caches.delete("carillon-push")];
      Promise.all(forgotten).finally(() => event.target.submit());
    });
    await send(subscription);
  }

  visit().catch(() => (button.hidden = !serverKey || !fresh));
}

if (part && able) start();

// An integrator's story with openapi-fetch and the types that openapi-typescript made;
// called with SITE and KEY.
import createClient from "openapi-fetch";
import type { paths } from "./schema";

declare const process: { argv: string[]; exit: (code: number) => never }; // Node's, as used here

const [site, key] = process.argv.slice(2);
const client = createClient<paths>({
  baseUrl: site,
  headers: { Authorization: `Bearer ${key}` },
});

function check(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what);
}

function got<T>(answer: { data?: T; error?: unknown }): T {
  check(answer.data !== undefined, `refused: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 200));

async function createFollower(): Promise<string> {
  const body = { email: "anna@example.com", name: "Anna Weber", tags: ["Early birds"] };
  const anna = got(await client.POST("/api/v1/followers", { body }));
  check(anna.tags.join() === "Early birds", "the tag is there");
  const found = got(await client.GET("/api/v1/followers"));
  check(found.results[0]?.id === anna.id, "she is found");
  return anna.id;
}

async function upsert(name: string): Promise<void> {
  const path = { external_id: "c-17" };
  const body = { email: "boris@example.com", name, tags: ["Early birds"] };
  const address = "/api/v1/followers/by-external-id/{external_id}";
  const boris = got(await client.PUT(address, { params: { path }, body }));
  check(boris.external_id === "c-17" && boris.name === name, "he is added or changed");
}

async function createSegment(): Promise<string> {
  const rules = { all: [{ field: "tag", op: "is" as const, value: "early-birds" }] };
  const segment = got(
    await client.POST("/api/v1/segments", { body: { name: "Early birds", rules } }),
  );
  const path = { id: segment.id };
  const { count } = got(await client.GET("/api/v1/segments/{id}/count", { params: { path } }));
  check(count === 2, "two are in it");
  return segment.id;
}

async function notify(segment: string): Promise<string> {
  const data = { order_number: "A-17", total: 49.5, action_url: "https://shop.example/A-17" };
  const body = { type: "transactional", segment, data, channels: ["email" as const] };
  const header = { "Idempotency-Key": "story-1" };
  return got(await client.POST("/api/v1/notify", { params: { header }, body })).id;
}

async function deliveries(id: string): Promise<(string | null | undefined)[]> {
  const found: (string | null | undefined)[] = [];
  let cursor: string | undefined;
  for (;;) {
    const params = { path: { id }, query: { page_size: 1, cursor } };
    const page = got(await client.GET("/api/v1/notifications/{id}/deliveries", { params }));
    found.push(...page.results.map((each) => each.follower));
    if (page.next === null) return found;
    cursor = page.next;
  }
}

async function readDeliveries(id: string): Promise<void> {
  let found = await deliveries(id);
  while (found.length < 2) {
    await pause();
    found = await deliveries(id);
  }
  check(new Set(found).size === 2, "one for each of the two");
}

async function sendCampaign(): Promise<void> {
  const body = {
    name: "Spring",
    type: "promotion",
    channels: ["email" as const],
    audience: { tags: ["early-birds"] },
    translations: { en: { email: { subject: "Spring", html: "<p>Hello</p>" } } },
  };
  const { id } = got(await client.POST("/api/v1/campaigns", { body }));
  const params = { path: { id } };
  const when = { send_at: "2035-05-31T09:00:00+02:00" };
  const planned = got(
    await client.POST("/api/v1/campaigns/{id}/schedule", { params, body: when }),
  );
  check(planned.status === "scheduled", "it is scheduled");
  got(await client.POST("/api/v1/campaigns/{id}/unschedule", { params }));
  got(await client.POST("/api/v1/campaigns/{id}/send", { params }));
  const now = async () => got(await client.GET("/api/v1/campaigns/{id}", { params })).status;
  while ((await now()) !== "sent") await pause();
}

async function changePreferences(id: string): Promise<void> {
  const seen = got(
    await client.GET("/api/v1/followers/{id}/preferences", { params: { path: { id } } }),
  );
  check(seen.subscribed, "she is subscribed");
  const path = { id, type: "promotion", channel: "email" };
  const address = "/api/v1/followers/{id}/preferences/{type}/{channel}";
  const put = got(await client.PUT(address, { params: { path }, body: { own: false } }));
  const row = put.types.find((each) => each.type === "promotion");
  const cell = row?.cells.find((each) => each.channel === "email");
  check(cell?.own === false, "her own word is kept");
}

async function story(): Promise<void> {
  const anna = await createFollower();
  await upsert("Boris");
  await upsert("Boris Ivanov");
  await readDeliveries(await notify(await createSegment()));
  await sendCampaign();
  await changePreferences(anna);
  console.log("The story ran.");
}

story().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});

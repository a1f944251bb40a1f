// Shows what is pushed to this browser, and keeps its subscription known. Nothing is cached and no
// request is answered.
"use strict";
const HOME = "/p/push-home"; // where the page left the address that takes subscriptions

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  let said = {};
  try {
    said = event.data ? event.data.json() : {};
  } catch {
    said = { body: event.data.text() };
  }
  // Something must be shown for each push: browsers take the permission away from those who push in
  // silence.
  event.waitUntil(
    self.registration.showNotification(said.title || self.location.hostname, {
      body: said.body || "",
      image: said.image || undefined,
      tag: said.tag || said.delivery || undefined,
      renotify: Boolean(said.tag),
      data: { link: said.link || "" },
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { link } = event.notification.data || {};
  let target;
  try {
    target = new URL(link, self.location.origin);
  } catch {
    return;
  }
  const ofTheWeb = /^https?:$/.test(target.protocol);
  if (link && ofTheWeb) event.waitUntil(self.clients.openWindow(target.href));
});

// The browser or its push service changed the address: say the new one, or messages end without a
// word.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(renew(event.oldSubscription, event.newSubscription));
});

async function renew(old, fresh) {
  const left = await (await caches.open("carillon-push")).match(HOME);
  if (!left) return;
  const { url, server_key } = await left.json();
  const options = { userVisibleOnly: true, applicationServerKey: server_key };
  const subscription = fresh || (await self.registration.pushManager.subscribe(options));
  const { endpoint, keys } = subscription.toJSON();
  const replaces = old?.endpoint || "";
  const body = new URLSearchParams({ endpoint, ...keys, server_key, replaces });
  await fetch(url, { method: "POST", body });
}

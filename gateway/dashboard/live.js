// The overview, kept up to date by server-sent events.

import { useEffect, useState } from "./base.js";

const nameOf = (lane) => `${lane.account} ${lane.model}`;

export const live = {
  lanes: new Map(),
  accounts: [],
  queue: [],
  made: null,
  connected: false,
  storeUp: true,
  config: 0, // grows when accounts or tenants change
  aheadMs: 0, // of this browser's clock is the gateway's
};

let source = null;
const listeners = new Set();
let told = false;

// Many events may come together: one rendering for all of them.
function changed() {
  if (told) return;
  told = true;
  requestAnimationFrame(() => {
    told = false;
    listeners.forEach((listener) => listener());
  });
}

const TAKE_IN = {
  overview(said) {
    live.aheadMs = new Date(said.at) - Date.now();
    live.lanes = new Map(said.lanes.map((lane) => [nameOf(lane), lane]));
    Object.assign(live, { accounts: said.accounts, queue: said.queue, made: said.made });
    live.storeUp = true;
  },
  lane(said) {
    live.lanes.set(nameOf(said), said);
  },
  gone(said) {
    live.lanes.delete(nameOf(said));
  },
  accounts(said) {
    live.accounts = said;
  },
  queue(said) {
    live.queue = said;
  },
  made(said) {
    live.made = said;
  },
  config() {
    live.config += 1;
  },
  store(said) {
    live.storeUp = said.up;
  },
};

export function connect() {
  if (source) return;
  source = new EventSource("/admin/events");
  source.onopen = () => {
    live.connected = true;
    changed();
  };
  source.onerror = () => {
    live.connected = false;
    changed();
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    disconnect();
    setTimeout(connect, 3000);
  };
  for (const [name, takeIn] of Object.entries(TAKE_IN)) {
    source.addEventListener(name, (event) => {
      takeIn(JSON.parse(event.data));
      changed();
    });
  }
}

export function disconnect() {
  if (source) source.close();
  source = null;
  live.connected = false;
}

// Renders whoever uses it anew when something came in.
export function useLive() {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const listener = () => setTurn((n) => n + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return live;
}

export const nowMs = () => Date.now() + live.aheadMs;

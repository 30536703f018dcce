// Who did what, when and why.

import { html, moment, t, useLoaded, useState } from "../base.js";
import { useLive } from "../live.js";
import { Empty, Fault, Table } from "../parts.js";
import { Choice } from "./usage.js";

export function Audit() {
  const live = useLive();
  const [last, setLast] = useState("50");
  const audit = useLoaded(`/admin/audit?last=${last}`, { every: 10, on: [live.config] });
  const entries = [...(audit.data?.entries || [])].reverse();
  const columns = [
    { name: "at", title: t("at"), cell: (row) => moment(row.at) },
    { name: "who", title: t("who"), cell: (row) => html`<span class="id">${row.who}</span>` },
    { name: "action", title: t("action"), cell: (row) => html`<code>${row.action}</code>` },
    { name: "on", title: t("on"), cell: (row) => html`<span class="id">${row.on}</span>` },
    { name: "what", title: t("what_changed"), cell: (row) => html`<${Change} before=${row.before} after=${row.after} />` },
    { name: "reason", title: t("reason"), cell: (row) => row.reason || "–" },
  ];
  return html`
    <h1>${t("view_audit")}</h1>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${Choice} name="last" label=${t("last_n")} value=${last} set=${setLast} options=${["50", "200", "1000"].map((n) => [n, n])} />
    </form>
    <${Fault} error=${audit.error} />
    ${audit.data && (entries.length ? html`<${Table} columns=${columns} rows=${entries} rowKey=${(row) => `${row.at} ${row.on} ${row.action}`} caption=${t("view_audit")} />` : html`<${Empty}>${t("nothing_done")}<//>`)}
  `;
}

// Of two records, what differs; of one, all of it; of words, both.
function Change({ before, after }) {
  if (before === null && after === null) return "–";
  if (typeof before !== "object" && typeof after !== "object") return `${before ?? ""} → ${after ?? ""}`;
  const was = typeof before === "object" && before ? before : {};
  const is = typeof after === "object" && after ? after : {};
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
  return html`
    <ul class="changes">
      ${names.map((name) => html`<li key=${name}><code>${name}</code>: ${name in was ? html`<del>${shown(was[name])}</del> ` : ""}${name in is ? html`<ins>${shown(is[name])}</ins>` : ""}</li>`)}
    </ul>
  `;
}

const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

// Teams and their keys: what each may do and spends; making, capping, rotating, blocking.

import { call, html, moment, query, t, told, useLoaded, useState, yuan } from "../base.js";
import { useLive } from "../live.js";
import { Act, Badge, Bar, Card, Copy, Dialog, Empty, Fault, Form, Table } from "../parts.js";

const TIERS = ["V0", "V1", "V2", "V3"];
const fen = (text) => Math.round(Number(text) * 100);
const words = (text) => text.split(/[\s,]+/).filter(Boolean);
const inYuan = (value) => (value === null || value === undefined ? undefined : String(value / 100));

export function Teams({ who, rest }) {
  const live = useLive();
  const teams = useLoaded("/admin/teams", { every: 5, on: [live.config] });
  const [adding, setAdding] = useState(false);
  const admin = who.role === "admin" && !who.team;
  const list = teams.data?.teams || [];
  const open = list.find((team) => team.name === rest[0]);
  if (open) return html`<${One} team=${open} admin=${admin} again=${teams.again} />`;
  const columns = [
    { name: "name", title: t("team"), cell: (row) => html`<a href="#/teams/${encodeURIComponent(row.name)}">${row.name}</a>` },
    { name: "state", title: t("state"), cell: (row) => html`<${Badge} word=${row.state} />` },
    { name: "tier", title: t("tier"), cell: (row) => row.tier || t("limit_n", { n: row.cap }) },
    { name: "weight", title: t("weight"), number: true },
    { name: "month", title: t("spent_this_month"), number: true, cell: (row) => yuan(row.spending.month.spent_fen) },
    { name: "budget", title: t("budget_month"), cell: (row) => html`<${Budget} spending=${row.spending.month} />` },
    { name: "source", title: t("kept_in"), cell: (row) => told(row.source) },
  ];
  return html`
    <header class="top">
      <h1>${t("view_teams")}</h1>
      ${admin && html`<span class="buttons"><button type="button" class="main" onClick=${() => setAdding(true)}>${t("add_team")}</button></span>`}
    </header>
    <${Fault} error=${teams.error} />
    ${teams.data && (list.length ? html`<${Table} columns=${columns} rows=${list} rowKey=${(row) => row.name} caption=${t("view_teams")} />` : html`<${Empty}>${t("no_teams")}<//>`)}
    ${(teams.data?.unfit || []).map((text) => html`<p class="fault">${typeof text === "string" ? text : JSON.stringify(text)}</p>`)}
    ${adding && html`<${Add} close=${() => setAdding(false)} again=${teams.again} />`}
  `;
}

function Budget({ spending }) {
  if (spending.budget_fen === null) return html`<small>${t("no_budget")}</small>`;
  const taken = spending.spent_fen + spending.reserved_fen;
  const label = `${yuan(taken)} / ${yuan(spending.budget_fen)}`;
  return html`<${Bar} part=${taken} whole=${spending.budget_fen} label=${label} alert=${spending.alert} /> <small>${label}</small>`;
}

const permits = (of) => [
  { name: "budget_day_fen", label: t("budget_day"), type: "number", step: "0.01", min: 0, help: t("in_yuan"), value: inYuan(of?.budget_day_fen), read: fen },
  { name: "budget_month_fen", label: t("budget_month"), type: "number", step: "0.01", min: 0, help: t("in_yuan"), value: inYuan(of?.budget_month_fen), read: fen },
  { name: "budget_total_fen", label: t("budget_total"), type: "number", step: "0.01", min: 0, help: t("in_yuan"), value: inYuan(of?.budget_total_fen), read: fen },
  { name: "submits_per_minute", label: t("submits_per_minute"), type: "number", min: 1, value: of?.submits_per_minute ?? undefined },
  { name: "models", label: t("models"), help: t("choices_help"), value: of?.models?.join(" ") || undefined, read: words },
  { name: "sizes", label: t("sizes"), help: t("choices_help"), value: of?.sizes?.join(" ") || undefined, read: words },
  { name: "qualities", label: t("qualities"), help: t("choices_help"), value: of?.qualities?.join(" ") || undefined, read: words },
  { name: "overflow", label: t("overflow"), options: [["", t("as_usual")], ["queue", t("overflow_queue")], ["reject", t("overflow_reject")]], value: of?.overflow ?? undefined },
  { name: "reason", label: t("reason") },
];

function Add({ close, again }) {
  const fields = [
    { name: "name", label: t("name"), required: true, help: t("name_help") },
    { name: "tier", label: t("tier"), options: TIERS, help: t("team_tier_help") },
    { name: "weight", label: t("weight"), type: "number", step: "any", help: t("weight_help") },
    ...permits(null),
  ];
  const done = (team) => {
    close();
    again();
    location.hash = `#/teams/${encodeURIComponent(team.name)}`;
  };
  return html`
    <${Dialog} title=${t("add_team")} close=${close}>
      <${Form} fields=${fields} submit=${t("add")} send=${(said) => call("POST", "/admin/teams", said)} onDone=${done} />
    <//>
  `;
}

function One({ team, admin, again }) {
  const [changing, setChanging] = useState(false);
  const path = `/admin/teams/${encodeURIComponent(team.name)}`;
  const kept = team.source === "store";
  const act = (word) => async (said) => {
    await call("POST", `${path}/${word}`, said);
    again();
  };
  const remove = async (said) => {
    await call("DELETE", `${path}${query({ reason: said.reason })}`);
    location.hash = "#/teams";
    again();
  };
  const fields = [
    { name: "tier", label: t("tier"), options: [["", "–"], ...TIERS], value: team.tier ?? undefined },
    { name: "limit", label: t("limit"), type: "number", min: 1, value: team.limit ?? undefined, help: t("limit_help") },
    { name: "weight", label: t("weight"), type: "number", step: "any", value: team.weight, help: t("weight_help") },
    { name: "queue_tasks", label: t("queue_tasks"), type: "number", min: 0, value: team.queue_tasks ?? undefined },
    ...permits(team),
  ];
  const change = async (said) => {
    await call("PATCH", path, said);
    again();
  };
  const periods = ["day", "month", "total"].map((kind) => ({ kind, ...team.spending[kind] }));
  const columns = [
    { name: "period", title: t("period"), cell: (row) => `${t(`period_${row.kind}`)}${row.kind === "total" ? "" : ` (${row.period})`}` },
    { name: "spent", title: t("spent"), number: true, cell: (row) => yuan(row.spent_fen) },
    { name: "reserved", title: t("reserved_now"), number: true, cell: (row) => yuan(row.reserved_fen) },
    { name: "budget", title: t("budget"), cell: (row) => html`<${Budget} spending=${row} />` },
  ];
  return html`
    <p><a href="#/teams">← ${t("view_teams")}</a></p>
    <header class="top">
      <h1>${team.name} <${Badge} word=${team.state} /></h1>
      ${admin && kept && html`
        <span class="buttons">
          <button type="button" onClick=${() => setChanging(true)}>${t("change")}</button>
          ${team.blocked ? html`<${Act} label=${t("unblock")} run=${act("unblock")} />` : html`<${Act} label=${t("block")} run=${act("block")}><p>${t("block_team_help")}</p><//>`}
          <${Act} label=${t("remove")} kind="danger" run=${remove}><p>${t("remove_team_help")}</p><//>
        </span>
      `}
    </header>
    <p>
      ${team.tier || t("limit_n", { n: team.cap })} · ${t("cap_n", { n: team.cap })} · ${t("weight")} ${team.weight} ·
      ${t(`overflow_${team.overflow}`)} · ${told(team.source)}
      ${team.models.length ? ` · ${team.models.join(", ")}` : ""}
    </p>
    ${!kept && html`<p><small>${t("of_settings")}</small></p>`}
    <${Card} title=${t("money")} wide><${Table} columns=${columns} rows=${periods} rowKey=${(row) => row.kind} caption=${t("money")} /><//>
    <${Keys} team=${team} admin=${admin} />
    ${changing && html`
      <${Dialog} title=${t("change_of", { name: team.name })} close=${() => setChanging(false)}>
        <${Form} fields=${fields} submit=${t("change")} send=${change} onDone=${() => setChanging(false)} />
      <//>
    `}
  `;
}

function Keys({ team, admin }) {
  const live = useLive();
  const keys = useLoaded(`/admin/keys${query({ team: team.name })}`, { every: 5, on: [live.config] });
  const [making, setMaking] = useState(false);
  const [shown, setShown] = useState(null);
  const rotate = (key) => async (said) => {
    setShown(await call("POST", `/admin/keys/${key.id}/rotate`, said));
    keys.again();
  };
  const act = (key, word) => async (said) => {
    await call("POST", `/admin/keys/${key.id}/${word}`, said);
    keys.again();
  };
  const revoke = (key) => async (said) => {
    await call("DELETE", `/admin/keys/${key.id}${query({ reason: said.reason })}`);
    keys.again();
  };
  const columns = [
    { name: "name", title: t("name"), cell: (row) => row.name || "–" },
    { name: "id", title: t("key"), cell: (row) => html`<code>${row.id}</code> <small>${row.hint}</small>` },
    { name: "state", title: t("state"), cell: (row) => html`<${Badge} word=${row.state} />` },
    { name: "spent", title: t("spent_this_month"), number: true, cell: (row) => yuan(row.spending.month.spent_fen) },
    { name: "created", title: t("created"), cell: (row) => moment(row.created_at, { seconds: false }) },
    { name: "expires", title: t("expires"), cell: (row) => moment(row.expires_at, { seconds: false }) },
    admin && {
      name: "do",
      title: t("actions"),
      cell: (row) => row.source === "store" && html`
        <span class="buttons">
          <${Act} label=${t("rotate")} run=${rotate(row)}><p>${t("rotate_help")}</p><//>
          ${row.blocked ? html`<${Act} label=${t("unblock")} run=${act(row, "unblock")} />` : html`<${Act} label=${t("block")} run=${act(row, "block")} />`}
          <${Act} label=${t("revoke")} kind="danger" run=${revoke(row)}><p>${t("revoke_help")}</p><//>
        </span>
      `,
    },
  ].filter(Boolean);
  const fields = [
    { name: "name", label: t("key_name"), help: t("key_name_help") },
    ...permits(null),
  ];
  const make = (said) => call("POST", "/admin/keys", { team: team.name, ...said });
  const made = (key) => {
    setMaking(false);
    setShown(key);
    keys.again();
  };
  return html`
    <${Card} title=${t("keys")} wide aside=${admin && html`<button type="button" class="main" onClick=${() => setMaking(true)}>${t("make_key")}</button>`}>
      <${Fault} error=${keys.error} />
      ${keys.data && (keys.data.keys.length ? html`<${Table} columns=${columns} rows=${keys.data.keys} rowKey=${(row) => row.id} caption=${t("keys")} />` : html`<${Empty}>${t("no_keys")}<//>`)}
    <//>
    ${making && html`<${Dialog} title=${t("make_key")} close=${() => setMaking(false)}><${Form} fields=${fields} submit=${t("make_key")} send=${make} onDone=${made} /><//>`}
    ${shown && html`<${ShownOnce} made=${shown} close=${() => setShown(null)} />`}
  `;
}

// The only moment at which a key is shown, with what to paste where.
function ShownOnce({ made, close }) {
  const base = location.origin;
  const snippets = {
    curl: `curl ${base}/v1/videos/generations \\\n  -H "Authorization: Bearer ${made.key}" \\\n  -H "Content-Type: application/json" \\\n  -d '{"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}'`,
    "zai-sdk": `from zai import ZhipuAiClient\n\nclient = ZhipuAiClient(base_url="${base}/v1", api_key="${made.key}")\nvideo = client.videos.generations(model="cogvideox-3", prompt="A cat is playing with a ball.")\nprint(client.videos.retrieve_videos_result(id=video.id))`,
    openai: `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="${made.key}")\nvideo = client.videos.create_and_poll(model="cogvideox-3", prompt="A cat is playing with a ball.")\nclient.videos.download_content(video.id).write_to_file("video.mp4")`,
  };
  const [name, setName] = useState("curl");
  return html`
    <${Dialog} title=${t("shown_once")} close=${close}>
      <p>${t("shown_once_help")}</p>
      <p class="secret"><code>${made.key}</code> <${Copy} text=${made.key} /></p>
      <div class="tabs" role="tablist" aria-label=${t("snippets")}>
        ${Object.keys(snippets).map((each) => html`<button type="button" role="tab" aria-selected=${String(each === name)} onClick=${() => setName(each)}>${each}</button>`)}
      </div>
      <div role="tabpanel" aria-label=${name}>
        <pre tabindex="0"><code>${snippets[name]}</code></pre>
        <${Copy} text=${snippets[name]} />
      </div>
      <div class="buttons"><button type="button" class="main" onClick=${close}>${t("kept_it")}</button></div>
    <//>
  `;
}

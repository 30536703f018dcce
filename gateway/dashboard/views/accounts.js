// The vendors' accounts: how each stands and why, what it may do, and everything that can be done.

import { call, count, duration, html, moment, t, told, useEffect, useLoaded, useState } from "../base.js";
import { useLive } from "../live.js";
import { Act, Badge, Bar, Card, Dialog, Empty, Fault, Form } from "../parts.js";

const PROVIDERS = [["bigmodel", "bigmodel (bigmodel.cn, z.ai)"], ["geekai", "geekai (geekai.co)"]];
const TIERS = [["", "–"], "V0", "V1", "V2", "V3"];
const lines = (text) => text.split(/\s*\n\s*/).filter(Boolean);

export function Accounts({ who, rest }) {
  const live = useLive();
  const accounts = useLoaded("/admin/accounts", { every: 5, on: [live.config] });
  const [dialog, setDialog] = useState(null);
  const admin = who.role === "admin";
  const done = () => {
    setDialog(null);
    accounts.again();
  };
  const list = accounts.data?.accounts || [];
  return html`
    <header class="top">
      <h1>${t("view_accounts")}</h1>
      ${admin && html`
        <span class="buttons">
          <button type="button" class="main" onClick=${() => setDialog("add")}>${t("add_account")}</button>
          <button type="button" onClick=${() => setDialog("import")}>${t("import_keys")}</button>
        </span>
      `}
    </header>
    <${Fault} error=${accounts.error} />
    ${accounts.data && !list.length && html`<${Empty}>${t("no_accounts")}<//>`}
    <div class="cards">
      ${list.map((account) => html`<${Account} key=${account.name} account=${account} admin=${admin} again=${accounts.again} marked=${rest[0] === account.name} />`)}
    </div>
    ${dialog === "add" && html`<${Add} close=${() => setDialog(null)} done=${done} />`}
    ${dialog === "import" && html`<${Import} close=${() => setDialog(null)} done=${done} names=${list.map((each) => each.name)} />`}
  `;
}

function Account({ account, admin, again, marked }) {
  const [changing, setChanging] = useState(false);
  const [tested, setTested] = useState(null);
  useEffect(() => marked && document.getElementById(`account-${account.name}`)?.scrollIntoView(), []);
  const path = `/admin/accounts/${encodeURIComponent(account.name)}`;
  const act = (word) => async (said) => {
    await call("POST", `${path}/${word}`, said);
    again();
  };
  const remove = async (said) => {
    await call("DELETE", `${path}?reason=${encodeURIComponent(said.reason || "")}`);
    again();
  };
  const test = async () => {
    setTested("busy");
    setTested(await call("POST", `${path}/test`, {}).catch((error) => ({ error })));
  };
  const stopped = ["paused", "draining", "drained"].includes(account.state);
  return html`
    <section class="card ${marked ? "marked" : ""}" id="account-${account.name}">
      <header>
        <h2>${account.name}</h2>
        <${Badge} word=${account.state} />
      </header>
      <p>
        ${account.provider} · ${account.tier || t("limit_n", { n: account.limit })} ·
        ${told(account.source)} · ${t("n_keys", { n: account.keys.length })}
        ${account.shadowed && html` · ${t("shadowed")}`}
      </p>
      ${account.reason && html`<p class="why"><strong>${t("why")}</strong> ${account.reason}${account.until ? ` (${t("until", { at: moment(account.until) })})` : ""}</p>`}
      ${account.way_back && html`<p class="why"><strong>${t("way_back")}</strong> ${t(`way_${account.state}`)}</p>`}
      ${account.models.map((lane) => html`
        <div key=${lane.model} class="lane-line">
          <span>${lane.model}</span>
          <${Bar} part=${lane.in_flight} whole=${lane.limit} label=${`${lane.in_flight} / ${lane.limit}`} alert=${lane.unknown > 0} />
          <span class="number">${lane.in_flight} / ${lane.effective_limit ?? lane.limit}${lane.effective_limit !== null && lane.effective_limit < lane.limit ? ` (${lane.limit})` : ""}</span>
          ${lane.reason && html`<small class="why">${lane.reason}</small>`}
          <small>
            ${lane.durations ? t("typical", { typical: duration(lane.durations.typical_seconds), longest: duration(lane.durations.longest_seconds) }) : t("nothing_learned")}
            ${lane.unknown > 0 && ` · ${t("n_unknown", { n: lane.unknown })}`}${lane.overdue > 0 && ` · ${t("n_overdue", { n: lane.overdue })}`}
          </small>
        </div>
      `)}
      <details>
        <summary>${t("keys")}</summary>
        <ul class="keys">
          ${account.keys.map((key) => html`<li key=${key.id}><code>${key.hint}</code> <${Badge} word=${key.state} /> <small>${key.reason || ""}</small></li>`)}
        </ul>
        ${account.last_error && html`<p><small>${t("last_error")} ${moment(account.last_error.at)}: ${account.last_error.reason}</small></p>`}
      </details>
      ${tested && html`<${Tested} tested=${tested} />`}
      ${admin && html`
        <div class="buttons">
          ${stopped || account.state !== "active" ? html`<${Act} label=${t("resume")} run=${act("resume")} />` : null}
          ${!stopped && html`<${Act} label=${t("pause")} run=${act("pause")}><p>${t("pause_help")}</p><//>`}
          ${account.state !== "draining" && account.state !== "drained" && html`<${Act} label=${t("drain")} run=${act("drain")}><p>${t("drain_help")}</p><//>`}
          <button type="button" onClick=${test} disabled=${tested === "busy"}>${t("test_keys")}</button>
          ${account.source === "store" && html`<button type="button" onClick=${() => setChanging(true)}>${t("change")}</button>`}
          ${account.source === "store" && html`<${Act} label=${t("remove")} kind="danger" run=${remove}><p>${t("remove_account_help")}</p><//>`}
        </div>
      `}
      ${changing && html`<${Change} account=${account} path=${path} close=${() => setChanging(false)} again=${again} />`}
    </section>
  `;
}

function Tested({ tested }) {
  if (tested === "busy") return html`<p role="status">${t("asking_vendor")}</p>`;
  if (tested.error) return html`<${Fault} error=${tested.error} />`;
  return html`<ul class="keys" role="status">${tested.keys.map((key) => html`<li key=${key.id}><code>${key.hint}</code> ${key.result}</li>`)}</ul>`;
}


const limits = (account) => [
  { name: "tier", label: t("tier"), options: TIERS, value: account?.tier ?? undefined },
  { name: "limit", label: t("limit"), type: "number", min: 1, help: t("limit_help"), value: account && !account.tier ? account.limit : undefined },
];

function Add({ close, done }) {
  const fields = [
    { name: "name", label: t("name"), required: true },
    { name: "provider", label: t("provider"), options: PROVIDERS },
    { name: "api_keys", label: t("api_keys"), type: "lines", required: true, help: t("api_keys_help"), read: lines },
    ...limits(null),
    { name: "base_url", label: t("base_url"), help: t("base_url_help") },
    { name: "reason", label: t("reason") },
  ];
  return html`
    <${Dialog} title=${t("add_account")} close=${close}>
      <${Form} fields=${fields} submit=${t("add")} send=${(said) => call("POST", "/admin/accounts", said)} onDone=${done} />
    <//>
  `;
}

function Change({ account, path, close, again }) {
  const fields = [
    ...limits(account),
    { name: "weight", label: t("weight"), type: "number", step: "any", value: account.weight, help: t("account_weight_help") },
    { name: "add_keys", label: t("add_keys"), type: "lines", read: lines },
    { name: "reason", label: t("reason") },
  ];
  const send = async (said) => {
    await call("PATCH", path, said);
    again();
  };
  return html`
    <${Dialog} title=${t("change_of", { name: account.name })} close=${close}>
      <${Form} fields=${fields} submit=${t("change")} send=${send} onDone=${close} />
    <//>
  `;
}

function Import({ close, done, names }) {
  const [answer, setAnswer] = useState(null);
  const fields = [
    { name: "lines", label: t("lines"), type: "lines", rows: 8, required: true, help: t("lines_help") },
    { name: "provider", label: t("provider"), options: PROVIDERS },
    { name: "tier", label: t("tier"), options: TIERS },
    { name: "into", label: t("into"), options: [["", t("new_accounts")], ...names.map((each) => [each, each])] },
  ];
  const send = async (said) => {
    const form = { ...said };
    if (form.into) {
      delete form.provider;
      delete form.tier;
    }
    setAnswer(await call("POST", "/admin/accounts/import", form));
  };
  return html`
    <${Dialog} title=${t("import_keys")} close=${answer ? done : close}>
      ${answer
        ? html`
            <p role="status">${t("imported", { made: count(answer.made.length), added: count(answer.added.length), skipped: count(answer.skipped.length) })}</p>
            <div class="buttons"><button type="button" class="main" onClick=${done}>${t("close")}</button></div>
          `
        : html`<${Form} fields=${fields} submit=${t("import")} send=${send} />`}
    <//>
  `;
}

// All tasks: search and filter them; one task's life, its video, what can be done about it.

import { call, count, duration, Fragment, html, moment, query, t, told, useEffect, useLoaded, useState, yuan } from "../base.js";
import { nowMs } from "../live.js";
import { Act, Badge, Card, Empty, Fault, Table } from "../parts.js";
import { Choice } from "./usage.js";

const STATUSES = ["", "running", "queued", "completed", "failed", "cancelled", "unknown", "overdue"];

export function Tasks({ who, rest, search }) {
  const id = rest[0];
  return id ? html`<${One} id=${id} who=${who} />` : html`<${List} who=${who} search=${search} />`;
}

function List({ who, search }) {
  const [typed, setTyped] = useState(search.q || "");
  const [pages, setPages] = useState([null]); // the cursors of the pages up to this one
  const filter = (name, value) => {
    setPages([null]);
    location.hash = `#/tasks${query({ ...search, [name]: value })}`;
  };
  const { status, team, account, q } = search;
  const cursor = pages.at(-1);
  const found = useLoaded(`/admin/tasks${query({ status, team, account, q, cursor })}`, { every: cursor ? 0 : 5 });
  const teams = useLoaded("/admin/teams");
  const names = (teams.data?.teams || []).map((each) => each.name);
  const ages = (task) => duration((new Date(task.ended_at || nowMs()) - new Date(task.created_at)) / 1000);
  const columns = [
    { name: "created", title: t("created"), cell: (row) => moment(row.created_at) },
    { name: "id", title: t("task"), cell: (row) => html`<a class="id" href="#/tasks/${row.id}">${row.id.slice(0, 13)}…</a>` },
    !who.team && { name: "team", title: t("team") },
    { name: "status", title: t("status"), cell: (row) => html`<${Badge} word=${row.overdue ? "overdue" : row.status} kind=${row.overdue ? "bad" : ""} />${row.cancel_asked_at && row.status !== "cancelled" ? html` <${Badge} word="cancel_asked" />` : ""}` },
    { name: "account", title: t("account"), cell: (row) => row.account || "–" },
    { name: "prompt", title: t("prompt"), cell: (row) => html`<span class="prompt">${row.prompt}</span>` },
    { name: "age", title: t("took"), number: true, cell: ages },
    { name: "price", title: t("price"), number: true, cell: (row) => yuan(row.price_fen) },
  ].filter(Boolean);
  const tasks = found.data?.tasks || [];
  return html`
    <h1>${t("view_tasks")}</h1>
    <form class="filters" role="search" onSubmit=${(event) => { event.preventDefault(); filter("q", typed); }}>
      <${Choice} name="status" label=${t("status")} value=${status || ""} set=${(value) => filter("status", value)} options=${STATUSES.map((each) => [each, each ? told(each) : t("any")])} />
      ${!who.team && html`<${Choice} name="team" label=${t("team")} value=${team || ""} set=${(value) => filter("team", value)} options=${[["", t("all_teams")], ...names.map((each) => [each, each])]} />`}
      <span class="choice grow">
        <label for="q">${t("search")}</label>
        <input id="q" type="search" value=${typed} placeholder=${t("search_help")} onInput=${(event) => setTyped(event.target.value)} />
      </span>
      <span class="buttons"><button>${t("search")}</button></span>
    </form>
    <${Fault} error=${found.error} />
    ${found.data && (tasks.length ? html`<${Table} columns=${columns} rows=${tasks} rowKey=${(row) => row.id} caption=${t("view_tasks")} />` : html`<${Empty}>${t("no_tasks", { n: count(found.data.searched) })}<//>`)}
    <nav class="buttons" aria-label=${t("pages")}>
      ${pages.length > 1 && html`<button type="button" onClick=${() => setPages(pages.slice(0, -1))}>${t("newer")}</button>`}
      ${found.data?.cursor && html`<button type="button" onClick=${() => setPages([...pages, found.data.cursor])}>${t("older")}</button>`}
    </nav>
  `;
}

function One({ id, who }) {
  const [ended, setEnded] = useState(false);
  const task = useLoaded(`/admin/tasks/${encodeURIComponent(id)}`, { every: ended ? 0 : 1.5 });
  useEffect(() => setEnded(Boolean(task.data?.ended_at)), [task.data]);
  if (task.error && !task.data) return html`<${Fault} error=${task.error} />`;
  if (!task.data) return html`<p class="empty" role="status">${t("loading")}</p>`;
  const data = task.data;
  const done = (path) => async (said) => {
    const answer = await call("POST", `/admin/tasks/${id}/${path}`, said);
    task.again();
    return answer;
  };
  const admin = who.role === "admin" && !who.team;
  const cancellable = admin && !data.ended_at && !data.cancel_asked_at;
  const releasable = admin && (data.status === "unknown" || data.status === "in_progress");
  return html`
    <p><a href="#/tasks">← ${t("view_tasks")}</a></p>
    <h1 class="id">${data.id}</h1>
    <p>
      <${Badge} word=${data.status} /> ${data.outcome && html`<${Badge} word=${data.outcome} />`}
      ${data.position && html` ${t("position", { n: data.position })}`}
      ${data.cancel_asked_at && data.status !== "cancelled" && html` <${Badge} word="cancel_asked" />`}
    </p>
    ${data.error && html`<p class="fault">${data.error.code}: ${data.error.message}</p>`}
    <div class="columns">
      <${Card} title=${t("video")}>
        <${Video} task=${data} />
        <p class="prompt-whole">${data.request.prompt}</p>
      <//>
      <${Card} title=${t("timeline")}><${Timeline} steps=${data.steps} /><//>
    </div>
    <${Facts} task=${data} who=${who} />
    <div class="buttons">
      ${cancellable && html`<${Act} label=${t("cancel_task")} run=${done("cancel")}><p>${t(data.status === "queued" || data.status === "claimed" ? "cancel_free" : "cancel_late")}</p><//>`}
      ${releasable && html`<${Act} label=${t("release")} kind="danger" required run=${done("release")}><p>${t("release_help")}</p><//>`}
    </div>
  `;
}

export function Video({ task }) {
  if (task.status !== "completed" || task.cancel_asked_at) {
    return html`<p class="empty" role="status">${t(task.ended_at ? "no_video" : "no_video_yet")}</p>`;
  }
  const source = `/admin/tasks/${task.id}/content`;
  return html`
    <video controls playsinline preload="metadata" src=${source} poster=${task.covers ? `${source}?variant=thumbnail` : undefined}>
      <track kind="captions" />
    </video>
    <p><a download href=${source}>${t("download")}</a></p>
  `;
}

const Timeline = ({ steps }) => html`
  <ol class="timeline">
    ${steps.map((step, i) => html`
      <li key=${i}>
        <time datetime=${step.at}>${moment(step.at)}</time>
        <${Badge} word=${step.step} />
        ${i > 0 && html`<small>+${((new Date(step.at) - new Date(steps[i - 1].at)) / 1000).toFixed(1)} s</small>`}
        <small class="note">${step.note}</small>
        <small class="process">${step.process}</small>
      </li>
    `)}
  </ol>
`;

function Facts({ task, who }) {
  const facts = [
    ["team", task.team],
    ["key", task.key_id],
    ["model", task.model],
    ["served_model", task.served_model],
    ["account", task.account],
    ["provider_task", task.provider_task_id],
    ["vendor_request", task.request_id],
    ["price", yuan(task.price_fen)],
    ["looks", task.looks],
    ["claims", task.claim_number],
    ["last_reason", task.last_reason],
    ...Object.entries(task.request).filter(([name]) => !["model", "prompt"].includes(name)),
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html`
    <${Card} title=${t("facts")} wide>
      <dl>
        ${facts.map(([name, value]) => html`<${Fragment} key=${name}><dt>${t(`fact_${name}`)}</dt><dd>${String(value)}</dd><//>`)}
      </dl>
    <//>
  `;
}

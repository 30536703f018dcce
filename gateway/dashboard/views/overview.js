// How the whole stands, live: slots as a picture, the queue, what was made and spent today.

import { count, duration, html, moment, t, told, useMemo, useTick, yuan } from "../base.js";
import { nowMs, useLive } from "../live.js";
import { Badge, Card, Chart, Empty, Figure, Table } from "../parts.js";

export function Overview() {
  const live = useLive();
  useTick(5);
  if (!live.made) return html`<p class="empty" role="status">${t("loading")}</p>`;
  const lanes = [...live.lanes.values()];
  return html`
    <h1>${t("view_overview")}</h1>
    <${Figures} live=${live} lanes=${lanes} />
    <${Slots} live=${live} lanes=${lanes} />
    <div class="columns">
      <${Queue} queue=${live.queue} />
      <${Hours} made=${live.made} />
    </div>
  `;
}

function Figures({ live, lanes }) {
  const used = lanes.reduce((n, lane) => n + lane.slots.length, 0);
  const limit = lanes.reduce((n, lane) => n + (lane.effective_limit ?? 0), 0);
  const waiting = live.queue.reduce((n, team) => n + team.tasks, 0);
  const today = (name) => live.made.today.reduce((n, team) => n + team[name], 0);
  const hour = live.made.hours.at(-1);
  const unknown = lanes.flatMap((lane) => lane.slots).filter(([, status]) => status === "unknown");
  return html`
    <div class="figures">
      <${Figure} label=${t("in_use")} value=${`${count(used)} / ${count(limit)}`}
        note=${unknown.length ? t("n_unknown", { n: unknown.length }) : t("slots")}
        kind=${unknown.length ? "bad" : ""} />
      <${Figure} label=${t("waiting")} value=${count(waiting)} note=${t("tasks_in_queue")} />
      <${Figure} label=${t("this_hour")} value=${count(hour?.completed)} note=${t("videos_made")} />
      <${Figure} label=${t("failed_today")} value=${count(today("failed") + today("unknown"))}
        note=${t("n_unknown", { n: today("unknown") })}
        kind=${today("unknown") ? "bad" : ""} />
      <${Figure} label=${t("spent_today")} value=${yuan(today("charged_fen"))}
        note=${t("reserved", { sum: yuan(live.made.reserved_fen) })} />
    </div>
  `;
}

function Slots({ live, lanes }) {
  const states = new Map(live.accounts.map((account) => [account.name, account]));
  const aside = html`
    <span class="legend">
      ${["free", "run0", "run1", "run2", "run3", "onway", "unknown"].map(
        (kind) => html`<span><i class="cell ${kind}"></i>${t(`cell_${kind}`)}</span>`,
      )}
    </span>
  `;
  return html`
    <${Card} title=${t("slots_title")} aside=${aside} wide>
      ${lanes.length === 0 && html`<${Empty}>${t("no_accounts")} <a href="#/accounts">${t("view_accounts")}</a><//>`}
      <div class="lanes">
        ${lanes.map(
          (lane) =>
            html`<${Lane} key=${`${lane.account} ${lane.model}`} lane=${lane} account=${states.get(lane.account)} />`,
        )}
      </div>
    <//>
  `;
}

// By share of what tasks of the lane take so far: the longer, the darker.
function kindOf(status, ageSeconds) {
  if (status === "unknown") return "unknown";
  if (status !== "in_progress") return "onway";
  if (ageSeconds < 30) return "run0";
  if (ageSeconds < 120) return "run1";
  return ageSeconds < 600 ? "run2" : "run3";
}

function Lane({ lane, account }) {
  const now = nowMs();
  const limit = lane.limit ?? 0;
  const effective = lane.effective_limit ?? limit;
  const free = Math.max(0, effective - lane.slots.length);
  const closed = Math.max(0, limit - effective - Math.max(0, lane.slots.length - effective));
  const longest = lane.slots.length ? duration((now - Math.min(...lane.slots.map((slot) => slot[2]))) / 1000) : "–";
  const label = t("lane_label", {
    account: lane.account,
    model: lane.model,
    used: lane.slots.length,
    limit: effective,
    longest,
  });
  return html`
    <div class="lane" role="group" aria-label=${label}>
      <p>
        <a href="#/accounts/${encodeURIComponent(lane.account)}">${lane.account}</a>
        ${account && account.state !== "active" && html` <${Badge} word=${account.state} />`}
        <small>${lane.model} · ${lane.slots.length}/${effective}${effective < limit ? ` (${limit})` : ""}</small>
      </p>
      <div class="cells">
        ${lane.slots.map(([id, status, since, team]) => {
          const age = (now - since) / 1000;
          const text = `${team} · ${told(status)} · ${duration(age)}`;
          return html`<a key=${id} class="cell ${kindOf(status, age)}" tabindex="-1" href="#/tasks/${id}" title=${text} aria-label=${text}></a>`;
        })}
        ${Array.from({ length: free }, (_, i) => html`<i key=${`free ${i}`} class="cell free"></i>`)}
        ${Array.from({ length: closed }, (_, i) => html`<i key=${`closed ${i}`} class="cell closed"></i>`)}
      </div>
    </div>
  `;
}

function Queue({ queue }) {
  const columns = [
    { name: "team", title: t("team"), cell: (row) => html`<a href="#/tasks?status=queued&team=${encodeURIComponent(row.team)}">${row.team}</a>` },
    { name: "tasks", title: t("tasks_waiting"), number: true, cell: (row) => count(row.tasks) },
    { name: "since", title: t("oldest"), number: true, cell: (row) => duration((nowMs() - new Date(row.since)) / 1000) },
    { name: "expected", title: t("expected_wait"), number: true, cell: (row) => duration(row.expected_wait_seconds) },
  ];
  return html`
    <${Card} title=${t("queue_title")}>
      ${queue.length
        ? html`<${Table} columns=${columns} rows=${queue} rowKey=${(row) => row.team} caption=${t("queue_title")} />`
        : html`<${Empty}>${t("nobody_waits")}<//>`}
    <//>
  `;
}

function Hours({ made }) {
  const data = useMemo(
    () => [
      made.hours.map((hour) => new Date(hour.from) / 1000),
      made.hours.map((hour) => hour.completed),
      made.hours.map((hour) => hour.failed + hour.unknown),
    ],
    [made],
  );
  const series = [
    { label: t("completed"), color: "--busy" },
    { label: t("failed"), color: "--bad" },
  ];
  const total = made.hours.reduce((n, hour) => n + hour.completed, 0);
  return html`
    <${Card} title=${t("last_hours")} aside=${html`<small>${t("since", { at: moment(made.hours[0].from, { seconds: false }) })}</small>`}>
      <${Chart} data=${data} series=${series} label=${t("last_hours_label", { n: total })} />
    <//>
  `;
}

// What was used: by whom and when, beside the time before; the bills.

import { call, count, html, query, t, told, useLoaded, useMemo, useState, yuan } from "../base.js";
import { Card, Chart, Empty, Fault, Figure, Table } from "../parts.js";

const GROUPS = ["team", "key", "model", "account", "status"];
const SPANS = ["this_month", "last_month", "last_7", "last_30", "today"];

const day = (at) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
const daysFrom = (at, n) => new Date(at.getFullYear(), at.getMonth(), at.getDate() + n);
const monthFrom = (at, n) => new Date(at.getFullYear(), at.getMonth() + n, 1);

// From a day up to, and without, another; and the span of the same kind before it.
function spanOf(name) {
  const now = new Date();
  const tomorrow = daysFrom(now, 1);
  const spans = {
    today: [daysFrom(now, 0), tomorrow, daysFrom(now, -1), daysFrom(now, 0)],
    last_7: [daysFrom(now, -6), tomorrow, daysFrom(now, -13), daysFrom(now, -6)],
    last_30: [daysFrom(now, -29), tomorrow, daysFrom(now, -59), daysFrom(now, -29)],
    this_month: [monthFrom(now, 0), monthFrom(now, 1), monthFrom(now, -1), monthFrom(now, 0)],
    last_month: [monthFrom(now, -1), monthFrom(now, 0), monthFrom(now, -2), monthFrom(now, -1)],
  };
  const [from, to, before, until] = spans[name].map(day);
  return { now: { from, to }, before: { from: before, to: until } };
}

export function Usage({ who }) {
  const [span, setSpan] = useState("this_month");
  const [group, setGroup] = useState(who.team ? "key" : "team");
  const [step, setStep] = useState("day");
  const [team, setTeam] = useState(who.team || "");
  const times = spanOf(span);
  const asked = (time, group_by) => `/admin/usage${query({ ...time, team, group_by })}`;
  const rows = useLoaded(asked(times.now, group), { every: 30 });
  const before = useLoaded(asked(times.before, group));
  const course = useLoaded(asked(times.now, step), { every: 30 });
  const teams = useLoaded("/admin/teams");
  const names = (teams.data?.teams || []).map((each) => each.name);
  const totals = rows.data?.totals;
  return html`
    <h1>${t("view_usage")}</h1>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${Choice} name="span" label=${t("time")} value=${span} set=${setSpan} options=${SPANS.map((each) => [each, t(`span_${each}`)])} />
      ${!who.team && html`<${Choice} name="team" label=${t("team")} value=${team} set=${setTeam} options=${[["", t("all_teams")], ...names.map((each) => [each, each])]} />`}
      <${Choice} name="group" label=${t("by")} value=${group} set=${setGroup} options=${GROUPS.map((each) => [each, t(`by_${each}`)])} />
      <${Choice} name="step" label=${t("step")} value=${step} set=${setStep} options=${["day", "hour"].map((each) => [each, t(`by_${each}`)])} />
      <span class="buttons">
        <a class="button" download href=${asked(times.now, group) + "&format=csv"}>${t("export_sums")}</a>
        <a class="button" download href=${`/admin/usage/entries${query({ ...times.now, team, format: "csv" })}`}>${t("export_entries")}</a>
        <a class="button" download href=${`/admin/usage/entries${query({ ...times.now, team, format: "jsonl" })}`}>JSON Lines</a>
      </span>
    </form>
    <${Fault} error=${rows.error} />
    <div class="figures">
      <${Compared} label=${t("charged")} now=${totals?.charged_fen} before=${before.data?.totals.charged_fen} format=${yuan} />
      <${Compared} label=${t("videos")} now=${totals?.completed} before=${before.data?.totals.completed} format=${count} />
      <${Compared} label=${t("failed")} now=${totals?.failed} before=${before.data?.totals.failed} format=${count} />
      <${Compared} label=${t("unknown_outcomes")} now=${totals?.unknown} before=${before.data?.totals.unknown} format=${count} />
      ${!who.team && html`<${Compared} label=${t("cost")} now=${totals?.cost_fen} before=${before.data?.totals.cost_fen} format=${yuan} />`}
    </div>
    <${Course} data=${course.data} step=${step} />
    <${Rows} data=${rows.data} before=${before.data} group=${group} who=${who} />
    <${Bill} names=${who.team ? [who.team] : names} />
  `;
}

export const Choice = ({ name, label, value, set, options }) => html`
  <span class="choice">
    <label for=${`choose-${name}`}>${label}</label>
    <select id=${`choose-${name}`} onChange=${(event) => set(event.target.value)}>
      ${options.map(([each, text]) => html`<option value=${each} selected=${each === value}>${text}</option>`)}
    </select>
  </span>
`;

function Compared({ label, now, before, format }) {
  if (now === undefined) return html`<${Figure} label=${label} value="…" />`;
  const change = before ? Math.round((100 * (now - before)) / before) : null;
  const note = before === undefined ? "" : `${t("before")} ${format(before)}${change === null ? "" : ` (${change > 0 ? "+" : ""}${change} %)`}`;
  return html`<${Figure} label=${label} value=${format(now)} note=${note} />`;
}

function Course({ data, step }) {
  const shown = useMemo(() => filled(data, step), [data, step]);
  if (!data || !data.rows.length || data.group_by[0] !== step) return null;
  const series = [{ label: t("charged_yuan"), color: "--busy", format: (value) => `¥${value.toFixed(2)}` }];
  return html`
    <${Card} title=${t("course")} wide>
      <${Chart} key=${step} data=${shown} series=${series} label=${t("course")} />
    <//>
  `;
}

// Days and hours in which nothing was charged are there as well, up to now.
function filled(data, step) {
  if (!data || data.group_by[0] !== step) return [[], []];
  const charged = new Map(data.rows.map((row) => [new Date(step === "day" ? `${row.day}T00:00` : row.hour).getTime(), row.charged_fen]));
  const end = Math.min(new Date(data.to), Date.now());
  const times = [];
  let at = new Date(step === "day" ? `${data.from.slice(0, 10)}T00:00` : data.from);
  while (at < end) {
    times.push(at.getTime());
    at = step === "day" ? daysFrom(at, 1) : new Date(at.getTime() + 3600000);
  }
  return [times.map((time) => time / 1000), times.map((time) => (charged.get(time) ?? 0) / 100)];
}

function Rows({ data, before, group, who }) {
  if (!data || data.group_by[0] !== group) return null;
  if (!data.rows.length) return html`<${Card} title=${t(`by_${group}`)} wide><${Empty}>${t("nothing_used")}<//><//>`;
  const earlier = new Map((before?.rows || []).map((row) => [row[group], row]));
  const number = (name) => ({ name, title: t(name), number: true, cell: (row) => count(row[name]) });
  const columns = [
    { name: group, title: t(`by_${group}`), cell: (row) => (group === "status" ? told(row.status) : row[group]) },
    number("completed"),
    number("failed"),
    number("cancelled"),
    number("unknown"),
    { name: "charged", title: t("charged"), number: true, cell: (row) => yuan(row.charged_fen) },
    { name: "before", title: t("before"), number: true, cell: (row) => yuan(earlier.get(row[group])?.charged_fen ?? 0) },
    !who.team && { name: "cost", title: t("cost"), number: true, cell: (row) => yuan(row.cost_fen) },
  ].filter(Boolean);
  return html`
    <${Card} title=${t(`by_${group}`)} wide>
      <${Table} columns=${columns} rows=${data.rows} rowKey=${(row) => row[group]} caption=${t(`by_${group}`)} />
    <//>
  `;
}

function Bill({ names }) {
  const now = new Date();
  const months = Array.from({ length: 12 }, (_, i) => day(monthFrom(now, -i)).slice(0, 7));
  const [team, setTeam] = useState("");
  const [month, setMonth] = useState(months[1]);
  const chosen = team || names[0] || "";
  const path = chosen && `/admin/usage/statement${query({ team: chosen, month })}`;
  const bill = useLoaded(path);
  const columns = [
    { name: "model", title: t("by_model") },
    { name: "size", title: t("size"), cell: (row) => row.size || "–" },
    { name: "quality", title: t("quality"), cell: (row) => row.quality || "–" },
    { name: "seconds", title: t("seconds"), number: true, cell: (row) => row.seconds ?? "–" },
    { name: "count", title: t("videos"), number: true, cell: (row) => count(row.count) },
    { name: "unit", title: t("each"), number: true, cell: (row) => yuan(row.unit_price_fen) },
    { name: "amount", title: t("amount"), number: true, cell: (row) => yuan(row.amount_fen) },
  ];
  if (!chosen) return null;
  return html`
    <${Card} title=${t("statement")} wide>
      <div class="filters">
        <${Choice} name="bill-team" label=${t("team")} value=${chosen} set=${setTeam} options=${names.map((each) => [each, each])} />
        <${Choice} name="bill-month" label=${t("month")} value=${month} set=${setMonth} options=${months.map((each) => [each, each])} />
        <span class="buttons"><a class="button" download href=${path + "&format=csv"}>CSV</a></span>
      </div>
      <${Fault} error=${bill.error} />
      ${bill.data &&
      html`
        ${bill.data.lines.length
          ? html`<${Table} columns=${columns} rows=${bill.data.lines} rowKey=${(row) => JSON.stringify(row)} caption=${t("statement")} />`
          : html`<${Empty}>${t("nothing_billed")}<//>`}
        <p class="total">${t("total")}: <strong>${yuan(bill.data.total_fen)}</strong> · ${t("n_videos", { n: count(bill.data.videos) })}</p>
        <p><small>${t("not_billed", {
          failed: bill.data.not_billed.failed,
          cancelled: bill.data.not_billed.cancelled,
          unknown: bill.data.not_billed.unknown.reduce((n, line) => n + line.count, 0),
        })}</small></p>
      `}
    <//>
  `;
}

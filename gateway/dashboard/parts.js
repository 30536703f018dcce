// Parts that several views are made of.

import {
  ApiError,
  Fragment,
  html,
  moment,
  preferences,
  t,
  told,
  useEffect,
  useRef,
  useState,
} from "./base.js";

// A word with a colour: for states.
export const Badge = ({ word, kind }) =>
  html`<span class="badge ${kind || KINDS[word] || ""}">${told(word)}</span>`;

const KINDS = {
  active: "good",
  ok: "good",
  completed: "good",
  charged: "good",
  in_progress: "busy",
  sending: "busy",
  claimed: "busy",
  resting: "warn",
  trying: "warn",
  draining: "warn",
  queued: "warn",
  unknown: "bad",
  paused: "bad",
  no_working_key: "bad",
  locked: "bad",
  blocked: "bad",
  expired: "bad",
  failed: "bad",
};

export const Fault = ({ error }) =>
  error ? html`<p class="fault" role="alert">${error.message}</p>` : null;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const Card = ({ title, aside, children, wide }) => html`
  <section class="card ${wide ? "wide" : ""}">
    ${title && html`<header><h2>${title}</h2>${aside}</header>`} ${children}
  </section>
`;

export const Figure = ({ label, value, note, kind }) => html`
  <div class="figure ${kind || ""}">
    <span class="label">${label}</span>
    <strong>${value}</strong>
    ${note && html`<span class="note">${note}</span>`}
  </div>
`;

// Columns: {name, title, cell?, number?}. A row may lead somewhere, and has a key.
export const Table = ({ columns, rows, rowKey, caption }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class="unseen">${caption}</caption>
      <thead>
        <tr>
          ${columns.map(
            (column) =>
              html`<th scope="col" class=${column.number ? "number" : ""}>${column.title}</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`
            <tr key=${rowKey(row)}>
              ${columns.map(
                (column) => html`
                  <td class=${column.number ? "number" : ""} data-title=${column.title}>
                    ${column.cell ? column.cell(row) : row[column.name]}
                  </td>
                `,
              )}
            </tr>
          `,
        )}
      </tbody>
    </table>
  </div>
`;

// A dialog of the browser's own: it keeps the focus inside, and Escape closes it.
export function Dialog({ title, close, children }) {
  const element = useRef(null);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.open && dialog.close();
  }, []);
  return html`
    <dialog ref=${element} onClose=${close} aria-label=${title}>
      <header>
        <h2>${title}</h2>
        <button type="button" class="plain" aria-label=${t("close")} onClick=${close}>✕</button>
      </header>
      ${children}
    </dialog>
  `;
}

// Fields: {name, label, type?, options?, help?, required?, value?, whole?}. What was left empty is
// not sent, unless it had a value before: then it is taken back (null).
export function Form({ fields, send, submit, onDone, children }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const onSubmit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    setBusy(true);
    setError(null);
    try {
      const answer = await send(read(form, fields));
      if (onDone) onDone(answer, form);
    } catch (caught) {
      setError(caught instanceof ApiError ? caught : new ApiError(0, { message: String(caught) }));
    }
    setBusy(false);
  };
  const faulty = error && fields.find((field) => error.param?.split(".")[0] === field.name);
  return html`
    <form onSubmit=${onSubmit} novalidate=${false}>
      ${fields.map((field) => html`<${Field} field=${field} error=${faulty === field && error} />`)}
      ${!faulty && html`<${Fault} error=${error} />`} ${children}
      <div class="buttons">
        <button class="main" disabled=${busy}>${submit}</button>
      </div>
    </form>
  `;
}

function Field({ field, error }) {
  const id = `field-${field.name}`;
  const about = `${id}-about`;
  const common = {
    id,
    name: field.name,
    required: field.required,
    "aria-describedby": field.help || error ? about : undefined,
    "aria-invalid": error ? "true" : undefined,
  };
  return html`
    <div class="field">
      <label for=${id}>${field.label}${field.required ? " *" : ""}</label>
      ${inputOf(field, common)}
      ${(field.help || error) &&
      html`<small id=${about} class=${error ? "fault" : ""}>${error ? error.message : field.help}</small>`}
    </div>
  `;
}

function inputOf(field, common) {
  if (field.options) {
    return html`
      <select ...${common} onChange=${field.onChange}>
        ${field.options.map((option) => {
          const [value, label] = Array.isArray(option) ? option : [option, option];
          return html`<option value=${value} selected=${value === (field.value ?? "")}>${label}</option>`;
        })}
      </select>
    `;
  }
  if (field.type === "lines") {
    return html`<textarea ...${common} rows=${field.rows || 4} spellcheck="false" placeholder=${field.placeholder}>${field.value ?? ""}</textarea>`;
  }
  return html`<input ...${common} type=${field.type || "text"} value=${field.value ?? ""} placeholder=${field.placeholder} min=${field.min} step=${field.step} autocomplete="off" spellcheck="false" />`;
}

function read(form, fields) {
  const said = {};
  for (const field of fields) {
    const text = form.elements[field.name].value;
    const trimmed = field.type === "password" ? text : text.trim();
    if (trimmed === "") {
      if (field.value !== undefined && field.value !== null && field.value !== "") said[field.name] = null;
      continue;
    }
    if (String(field.value ?? "") === trimmed && !field.always) continue;
    said[field.name] = field.read ? field.read(trimmed) : field.type === "number" ? Number(trimmed) : trimmed;
  }
  return said;
}

// A button that asks for the reason first, which the audit keeps.
export function Act({ label, title, run, kind, required, children }) {
  const [open, setOpen] = useState(false);
  const field = { name: "reason", label: t("reason"), required, help: t("reason_help") };
  return html`
    <button type="button" class=${kind || ""} onClick=${() => setOpen(true)}>${label}</button>
    ${open &&
    html`
      <${Dialog} title=${title || label} close=${() => setOpen(false)}>
        ${children}
        <${Form}
          fields=${[field]}
          submit=${label}
          send=${run}
          onDone=${() => setOpen(false)}
        />
      <//>
    `}
  `;
}

export function Copy({ text }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 2000);
  };
  return html`<button type="button" onClick=${copy}>${done ? t("copied") : t("copy")}</button>`;
}

export const Bar = ({ part, whole, label, alert }) => html`
  <span class="bar" role="img" aria-label=${label}>
    <span
      class=${alert ? "bad" : ""}
      style=${{ width: `${Math.min(100, whole ? (100 * part) / whole : 0)}%` }}
    ></span>
  </span>
`;

// Days where several are shown, else the time of day.
function timesOf(_, times) {
  const days = times.length > 1 && times[1] - times[0] >= 86400;
  const two = (n) => String(n).padStart(2, "0");
  return times.map((time) => {
    const at = new Date(time * 1000);
    const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    return days || at.getHours() + at.getMinutes() === 0 ? day : `${two(at.getHours())}:${two(at.getMinutes())}`;
  });
}

// A chart of uPlot's: `data` is its own form (x in Unix seconds, then a list a series).
export function Chart({ data, series, height = 180, label }) {
  const element = useRef(null);
  const plot = useRef(null);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const look = `${preferences.theme} ${dark} ${preferences.language}`;
  useEffect(() => {
    const place = element.current;
    const styles = getComputedStyle(document.documentElement);
    const color = (name) => styles.getPropertyValue(name).trim();
    const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 } };
    const bars = window.uPlot.paths.bars({ size: [0.7, 60] });
    plot.current = new window.uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height,
        cursor: { y: false },
        legend: { live: true },
        scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [{ ...axis, values: timesOf }, { ...axis, size: 55 }],
        series: [
          { label: t("at"), value: (_, at) => (at ? moment(at * 1000, { seconds: false }) : "–") },
          ...series.map((each) => ({
            label: each.label,
            stroke: color(each.color),
            fill: `${color(each.color)}55`,
            paths: bars,
            points: { show: false },
            value: (_, value) => (value === null || value === undefined ? "–" : (each.format || String)(value)),
          })),
        ],
      },
      data,
      place,
    );
    const resized = new ResizeObserver(() =>
      plot.current.setSize({ width: Math.max(200, place.clientWidth), height }),
    );
    resized.observe(place);
    return () => {
      resized.disconnect();
      plot.current.destroy();
    };
  }, [look, series.map((each) => each.label).join()]);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<div class="chart" ref=${element} role="img" aria-label=${label}></div>`;
}

export { Fragment };

// What every view stands on: rendering, the admin API, language and theme, formats.

import { h, render, Fragment } from "./vendor/preact.js";
import { useEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";
import { WORDS } from "./words.js";

export { Fragment, render, useEffect, useMemo, useRef, useState };
// Whatever stands in ${...} becomes a text node or a property: markup in a prompt stays a text.
export const html = htm.bind(h);

// The admin API -------------------------------------------------------------------------------

export class ApiError extends Error {
  constructor(status, error) {
    const about = WORDS[`error_${error.code}`] ? `${t(`error_${error.code}`)}: ` : "";
    super(about + (error.message || `HTTP ${status}`));
    this.status = status;
    this.code = error.code;
    this.param = error.param;
  }
}

// Resolves to the answer's JSON (or its text). A session that is over is told to the whole page.
export async function call(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new ApiError(0, { message: t("no_connection") });
  }
  const isJson = (answer.headers.get("content-type") || "").includes("json");
  const said = isJson ? await answer.json() : await answer.text();
  if (answer.ok) return said;
  if (answer.status === 401 && !path.endsWith("/session")) dispatchEvent(new Event("signed-out"));
  throw new ApiError(answer.status, (isJson && said.error) || {});
}

// Something that is loaded, and loaded again: {data, error, again}. `every` is in seconds.
export function useLoaded(path, { every = 0, on = [] } = {}) {
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!path) return undefined;
    let wanted = true;
    call("GET", path).then(
      (data) => wanted && setState({ data, of: path }),
      (error) => wanted && setState((before) => ({ ...before, error, of: path })),
    );
    const timer = every && setTimeout(() => setTurn((n) => n + 1), every * 1000);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [path, turn, ...on]);
  return {
    data: state.data,
    error: state.error,
    loading: state.of !== path,
    again: () => setTurn((n) => n + 1),
  };
}

// Language and theme --------------------------------------------------------------------------

function remembered(name, usual, allowed) {
  const kept = localStorage.getItem(name);
  return allowed.includes(kept) ? kept : usual;
}

const browserLanguage = (navigator.language || "zh").startsWith("zh") ? "zh" : "en";
export const preferences = {
  language: remembered("language", browserLanguage, ["zh", "en"]),
  theme: remembered("theme", "auto", ["auto", "light", "dark"]),
};

export function prefer(name, value) {
  preferences[name] = value;
  localStorage.setItem(name, value);
  applyPreferences();
  dispatchEvent(new Event("preferences"));
}

export function applyPreferences() {
  const root = document.documentElement;
  root.lang = preferences.language === "zh" ? "zh-CN" : "en";
  root.dataset.theme = preferences.theme;
}

// A word or sentence of words.js in the language of the page; {name} stands for a value.
export function t(key, values = {}) {
  const pair = WORDS[key];
  if (!pair) return key;
  const text = pair[preferences.language === "zh" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Words of the API, such as states: told as they are where nobody translated them.
export const told = (word) => (WORDS[`word_${word}`] ? t(`word_${word}`) : (word ?? ""));

// Formats -------------------------------------------------------------------------------------

const locale = () => (preferences.language === "zh" ? "zh-CN" : "en-GB");

export const count = (n) => new Intl.NumberFormat(locale()).format(n ?? 0);
export const yuan = (fen) =>
  fen === null || fen === undefined
    ? "–"
    : `¥${new Intl.NumberFormat(locale(), { minimumFractionDigits: 2 }).format(fen / 100)}`;

export function moment(at, { seconds = true } = {}) {
  if (!at) return "–";
  const form = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
  if (seconds) form.second = "2-digit";
  return new Intl.DateTimeFormat(locale(), { ...form, hourCycle: "h23" }).format(new Date(at));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 3600) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  return `${Math.floor(s / 3600)}:${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`;
}

export const query = (fields) => {
  const said = Object.entries(fields).filter(([, v]) => v !== "" && v !== null && v !== undefined);
  return said.length ? `?${new URLSearchParams(said)}` : "";
};

// Ages run on while nothing is told anew: a tick every so many seconds.
export function useTick(seconds) {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTurn((n) => n + 1), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
}

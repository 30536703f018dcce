// The page itself: who is signed in, where one is, and the view that belongs there.

import {
  applyPreferences,
  call,
  html,
  render,
  t,
  told,
  useEffect,
  useState,
} from "./base.js";
import { connect, disconnect, useLive } from "./live.js";
import { Preferences } from "./preferences.js";
import { Accounts } from "./views/accounts.js";
import { Audit } from "./views/audit.js";
import { Overview } from "./views/overview.js";
import { Playground } from "./views/playground.js";
import { SignIn } from "./views/signin.js";
import { Tasks } from "./views/tasks.js";
import { Teams } from "./views/teams.js";
import { Usage } from "./views/usage.js";

// Where, which view, and who may see it: everybody, but for a team's own viewer; admins alone.
const VIEWS = [
  { name: "overview", view: Overview, all: true },
  { name: "usage", view: Usage },
  { name: "tasks", view: Tasks },
  { name: "accounts", view: Accounts, all: true },
  { name: "teams", view: Teams },
  { name: "playground", view: Playground, admin: true },
  { name: "audit", view: Audit, all: true },
];

const mayOpen = (view, who) =>
  (!view.all || !who.team) && (!view.admin || (who.role === "admin" && !who.team));

function place() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decodeURIComponent);
  return { name, rest, search: Object.fromEntries(new URLSearchParams(search)) };
}

function App() {
  const [who, setWho] = useState(undefined); // undefined: not known yet; null: nobody
  const [where, setWhere] = useState(place);
  const [, setTurn] = useState(0);
  useEffect(() => {
    // Asked only where somebody had signed in: who never did is not told an error first.
    if (localStorage.getItem("signed_in")) {
      call("GET", "/admin/session").then(setWho, () => setWho(null));
    } else {
      setWho(null);
    }
    const moved = () => {
      setWhere(place());
      scrollTo(0, 0);
      document.querySelector("main")?.focus();
    };
    const told = () => setTurn((n) => n + 1);
    const over = () => setWho(null);
    addEventListener("hashchange", moved);
    addEventListener("preferences", told);
    addEventListener("signed-out", over);
    return () => {
      removeEventListener("hashchange", moved);
      removeEventListener("preferences", told);
      removeEventListener("signed-out", over);
    };
  }, []);
  useEffect(() => {
    if (who) localStorage.setItem("signed_in", "yes");
    else if (who === null) localStorage.removeItem("signed_in");
    if (who && !who.team) connect();
    return disconnect;
  }, [who?.id]);

  if (who === undefined) return html`<p class="empty" role="status">…</p>`;
  if (who === null) return html`<${SignIn} onDone=${setWho} />`;
  const open = VIEWS.filter((view) => mayOpen(view, who));
  const current = open.find((view) => view.name === where.name) || open[0];
  document.title = `${t(`view_${current.name}`)} · cogvideo-gateway`;
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
    <div class="frame">
      <${Side} views=${open} current=${current} who=${who} signOut=${() => setWho(null)} />
      <main id="main" tabindex="-1">
        ${!who.team && html`<${Troubles} />`}
        <${current.view} key=${current.name} who=${who} rest=${where.rest} search=${where.search} />
      </main>
    </div>
  `;
}

function skip(event) {
  event.preventDefault();
  document.querySelector("main").focus();
}

function Side({ views, current, who, signOut }) {
  const leave = async () => {
    await call("DELETE", "/admin/session").catch(() => {});
    signOut();
  };
  return html`
    <header class="side">
      <p class="name"><img src="/dashboard/icon.svg" alt="" width="24" height="24" /> cogvideo-gateway</p>
      <nav aria-label=${t("views")}>
        ${views.map(
          (view) => html`
            <a
              href=${`#/${view.name}`}
              aria-current=${view === current ? "page" : undefined}
            >
              ${t(`view_${view.name}`)}
            </a>
          `,
        )}
      </nav>
      <div class="who">
        <span>${who.name || told(who.role)} · ${told(who.role)}${who.team ? ` · ${who.team}` : ""}</span>
        <${Preferences} />
        <button type="button" class="plain" onClick=${leave}>${t("sign_out")}</button>
      </div>
    </header>
  `;
}

function Troubles() {
  const live = useLive();
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 2000);
    return () => clearTimeout(timer);
  }, []);
  if (!live.storeUp) return html`<p class="trouble" role="alert">${t("store_away")}</p>`;
  if (late && !live.connected) return html`<p class="trouble" role="status">${t("not_live")}</p>`;
  return null;
}

applyPreferences();
render(html`<${App} />`, document.getElementById("app"));

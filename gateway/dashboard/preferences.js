// Language and theme, chosen by whoever looks.

import { html, prefer, preferences, t } from "./base.js";

export function Preferences() {
  const other = preferences.language === "zh" ? "en" : "zh";
  return html`
    <span class="preferences">
      <button type="button" class="plain" lang=${other} onClick=${() => prefer("language", other)}>
        ${other === "zh" ? "中文" : "English"}
      </button>
      <label class="unseen" for="theme">${t("theme")}</label>
      <select id="theme" value=${preferences.theme} onChange=${(e) => prefer("theme", e.target.value)}>
        ${["auto", "light", "dark"].map(
          (theme) =>
            html`<option value=${theme} selected=${theme === preferences.theme}>${t(`theme_${theme}`)}</option>`,
        )}
      </select>
    </span>
  `;
}

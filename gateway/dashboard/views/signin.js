import { call, html, t } from "../base.js";
import { Preferences } from "../preferences.js";
import { Form } from "../parts.js";

export function SignIn({ onDone }) {
  const field = {
    name: "key",
    label: t("admin_key"),
    type: "password",
    required: true,
    help: t("admin_key_help"),
    placeholder: "sk-…",
  };
  return html`
    <main class="signin" id="main">
      <h1><img src="/dashboard/icon.svg" alt="" width="32" height="32" /> cogvideo-gateway</h1>
      <${Form}
        fields=${[field]}
        submit=${t("sign_in")}
        send=${(said) => call("POST", "/admin/session", said)}
        onDone=${onDone}
      />
      <${Preferences} />
    </main>
  `;
}

// Make a video here as a team: by its rules, on its bill; watch it go through, play it.

import { ApiError, call, html, t, told, useEffect, useLoaded, useState, yuan } from "../base.js";
import { Badge, Card, Fault } from "../parts.js";
import { Video } from "./tasks.js";

const MOST_IMAGE_BYTES = 5 * 1024 * 1024;

const asDataUri = (file) =>
  new Promise((resolve, reject) => {
    if (file.size > MOST_IMAGE_BYTES) reject(new ApiError(0, { message: t("image_too_large") }));
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new ApiError(0, { message: t("image_unreadable") }));
    reader.readAsDataURL(file);
  });

export function Playground() {
  const choices = useLoaded("/admin/playground");
  const [model, setModel] = useState(null);
  const [frames, setFrames] = useState([]);
  const [error, setError] = useState(null);
  const [made, setMade] = useState([]);
  const [busy, setBusy] = useState(false);
  if (choices.error) return html`<${Fault} error=${choices.error} />`;
  if (!choices.data) return html`<p class="empty" role="status">${t("loading")}</p>`;
  const { models, teams } = choices.data;
  const chosen = models.find((each) => each.id === model) || models[0];
  if (!chosen || !teams.length) return html`<h1>${t("view_playground")}</h1><p class="empty">${t("playground_needs")}</p>`;
  const can = chosen.capabilities;

  const addFrames = async (event) => {
    setError(null);
    try {
      const files = [...event.target.files].slice(0, can.max_images);
      setFrames(await Promise.all(files.map(asDataUri)));
    } catch (caught) {
      setError(caught);
    }
  };
  const submit = async (event) => {
    event.preventDefault();
    const said = Object.fromEntries([...new FormData(event.currentTarget)].filter(([name, value]) => value !== "" && name !== "frames"));
    for (const name of ["fps", "duration"]) if (said[name]) said[name] = Number(said[name]);
    if (said.with_audio) said.with_audio = true;
    if (frames.length) said.image_url = frames.length === 1 ? frames[0] : frames;
    setBusy(true);
    setError(null);
    try {
      const answer = await call("POST", "/admin/playground", said);
      setMade([answer.id, ...made]);
    } catch (caught) {
      setError(caught);
    }
    setBusy(false);
  };
  const select = (name, label, options) => options?.length > 0 && html`
    <div class="field">
      <label for=${`play-${name}`}>${label}</label>
      <select id=${`play-${name}`} name=${name}>
        <option value="">${t("vendors_default")}</option>
        ${options.map((option) => html`<option value=${option}>${option}</option>`)}
      </select>
    </div>
  `;
  return html`
    <h1>${t("view_playground")}</h1>
    <div class="columns">
      <${Card} title=${t("make_video")}>
        <form onSubmit=${submit}>
          <div class="field">
            <label for="play-team">${t("as_team")} *</label>
            <select id="play-team" name="team" required>${teams.map((team) => html`<option value=${team}>${team}</option>`)}</select>
            <small>${t("as_team_help")}</small>
          </div>
          <div class="field">
            <label for="play-model">${t("by_model")}</label>
            <select id="play-model" name="model" onChange=${(event) => setModel(event.target.value)}>
              ${models.map((each) => html`<option value=${each.id} selected=${each === chosen}>${each.id} (${yuan(each.price_fen)})</option>`)}
            </select>
          </div>
          <div class="field">
            <label for="play-prompt">${t("prompt")}</label>
            <textarea id="play-prompt" name="prompt" rows="4" maxlength=${can.max_prompt_characters}></textarea>
          </div>
          ${can.max_images > 0 && html`
            <div class="field">
              <label for="play-frames">${t("frames", { n: can.max_images })}</label>
              <input id="play-frames" name="frames" type="file" accept="image/png,image/jpeg" multiple=${can.max_images > 1} onChange=${addFrames} />
              ${frames.length > 0 && html`<p class="frames">${frames.map((frame, i) => html`<img key=${i} src=${frame} alt=${t("frame_n", { n: i + 1 })} />`)}</p>`}
            </div>
          `}
          <div class="pairs">
            ${select("size", t("size"), can.sizes)} ${select("quality", t("quality"), can.qualities)}
            ${select("fps", "fps", can.fps)} ${select("duration", t("seconds"), can.durations_seconds)}
          </div>
          <p><label><input type="checkbox" name="with_audio" value="true" /> ${t("with_audio")}</label></p>
          <${Fault} error=${error} />
          <div class="buttons"><button class="main" disabled=${busy}>${t("make_video")}</button></div>
        </form>
      <//>
      <div>
        ${made.length === 0 && html`<p class="empty">${t("made_here")}</p>`}
        ${made.map((id) => html`<${Made} key=${id} id=${id} />`)}
      </div>
    </div>
  `;
}

function Made({ id }) {
  const [ended, setEnded] = useState(false);
  const task = useLoaded(`/admin/tasks/${id}`, { every: ended ? 0 : 1 });
  useEffect(() => setEnded(Boolean(task.data?.ended_at)), [task.data]);
  const data = task.data;
  if (!data) return html`<p role="status">…</p>`;
  return html`
    <${Card} title=${html`<a class="id" href="#/tasks/${id}">${id.slice(0, 13)}…</a>`} aside=${html`<${Badge} word=${data.status} />`}>
      <p role="status">${data.steps.map((step) => told(step.step)).join(" → ")}</p>
      ${data.error && html`<p class="fault">${data.error.code}: ${data.error.message}</p>`}
      <${Video} task=${data} />
    <//>
  `;
}

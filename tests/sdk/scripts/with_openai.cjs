/* Runs with some version of openai for Node, which NODE_PATH names.

    node with_openai.cjs calls BASE_URL API_KEY IMAGE
    node with_openai.cjs refusals CASES

`calls` does everything that the SDK can do; before each call it tells the name on a line and waits
for a line, so that whoever watches the wire knows what the bytes belong to. `refusals` makes the
calls it is given. Both tell what came of each call as a line of JSON. */

const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const { OpenAI, APIError, toFile } = require("openai");

const model = "cogvideox-3";
const [first, last] = ["https://img.example/first.jpg", "https://img.example/last.jpg"];

async function calls(baseURL, apiKey, image) {
  const client = new OpenAI({ baseURL, apiKey });
  const videos = client.videos;
  const ids = {};
  const create = (name, fields) =>
    tell(`create ${name}`, async () => {
      const video = await videos.create(await fields());
      ids[name] = video.id;
      return video;
    });

  const cat = "A cat is playing with a ball.";
  await create("text", () => ({ model, prompt: cat, seconds: "5", size: "1920x1080" }));
  await create("from a prompt alone", () => ({ prompt: cat }));
  await create("image", () => ({
    model,
    prompt: "让画面动起来",
    seconds: "5",
    size: "1920x1080",
    input_reference: fs.createReadStream(image),
  }));
  await create("image with a type", async () => ({
    model,
    prompt: "x",
    input_reference: await toFile(fs.readFileSync(image), "first.png", { type: "image/png" }),
  }));
  await create("image by link", () => ({
    model,
    prompt: "x",
    input_reference: { image_url: first },
  }));
  await create("first and last frame", () => ({
    model,
    prompt: "x",
    image_url: [first, last],
    quality: "quality",
    with_audio: true,
    fps: 60,
    duration: 10,
    watermark_enabled: false,
  }));
  await tell("create and poll", async () => {
    const video = await videos.create({ model, prompt: "x" });
    return ended(videos, video.id);
  });
  await tell("poll", () => ended(videos, ids["text"]));
  await tell("retrieve", () => videos.retrieve(ids["text"]));
  await tell("list", async () => page(await videos.list()));
  await tell("list from one on", async () =>
    page(await videos.list({ after: ids["image"], limit: 2, order: "desc" })),
  );
  await tell("list all", () => all(videos.list({ limit: 3 })));
  await tell("list all, oldest first", () => all(videos.list({ order: "asc" })));
  await tell("download", async () => file(await videos.downloadContent(ids["text"])));
  for (const variant of ["thumbnail", "spritesheet"])
    await tell(`download ${variant}`, async () =>
      file(await videos.downloadContent(ids["text"], { variant })),
    );
  await tell("remix", () => videos.remix(ids["text"], { prompt: "x" }));
  await tell("edit", () => videos.edit({ prompt: "x", video: { id: ids["text"] } }));
  await tell("extend", () =>
    videos.extend({ prompt: "x", seconds: "4", video: { id: ids["text"] } }),
  );
  await tell("create a character", async () => {
    const video = await toFile(Buffer.from("clip"), "clip.mp4", { type: "video/mp4" });
    return videos.createCharacter({ name: "n", video });
  });
  await tell("get a character", () => videos.getCharacter("char_1"));
  await tell("post to generations", () =>
    client.post("/videos/generations", { body: { model, prompt: "x", image: first } }),
  );
  await tell("models", async () => ({ ids: (await all(client.models.list())).ids }));
  await tell("delete", () => videos.delete(ids["text"]));
  await tell("retrieve deleted", () => videos.retrieve(ids["text"]));
}

async function refusals(cases) {
  for (const { name, base_url, api_key, task_id, fields } of JSON.parse(cases)) {
    const { videos } = new OpenAI({ baseURL: base_url, apiKey: api_key });
    await tell(name, () =>
      task_id ? videos.retrieve(task_id) : videos.create({ model, prompt: "A cat", ...fields }),
    );
  }
}

/** The SDK has no polling of its own: ask as often as the gateway says, as its Python sister does. */
async function ended(videos, id) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const { data, response } = await videos.retrieve(id).withResponse();
    if (!["queued", "in_progress"].includes(data.status)) return data;
    await sleep(Number(response.headers.get("openai-poll-after-ms") ?? 1000));
  }
  throw new Error(`${id} does not end`);
}

const page = ({ data, has_more, last_id }) => ({ data, has_more, last_id });

async function all(pages) {
  const ids = [];
  for await (const { id } of pages) ids.push(id);
  return { ids };
}

async function file(response) {
  const data = Buffer.from(await response.arrayBuffer());
  return { bytes: data.length, head: data.subarray(0, 16).toString("hex") };
}

async function tell(name, call) {
  process.stdout.write(`${name}\n`);
  fs.readSync(0, Buffer.alloc(64));
  let told;
  try {
    told = await call();
  } catch (error) {
    const { status, code, type, param, requestID: request_id } = error;
    told = { raised: error.constructor.name, message: error.message };
    if (error instanceof APIError) Object.assign(told, { status, code, type, param, request_id });
  }
  process.stdout.write(JSON.stringify({ call: name, told }) + "\n");
}

const [mode, ...args] = process.argv.slice(2);
({ calls, refusals })[mode](...args);

// What can be saved of the page, all of it made in the browser: rigs, poses, curves, pictures and video.

import type { App } from "./app";
import { objText } from "./obj_write";
import { liveLinkText } from "./live_link";
import type { MenuItem } from "./menu";
import { writeGlb } from "./glb_write";
import { recordsVideo, recordVideo } from "./video";

export function exportItems(app: App): MenuItem[] {
  const save = (content: Blob | string, suffix: string): void => download(content, `${stem(app)}${suffix}`);
  const attempt = (action: () => Promise<void> | void) => (): void => {
    void (async () => {
      try {
        await action();
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        app.say(`Nothing was saved: ${error.message}`, true);
      }
    })();
  };
  const moving = [
    item("Rig (.glb)", "Morph targets by name, for Blender, Maya, Unreal, three.js", async () =>
      save(glbBlob(await writeGlb(app.head.file)), ".glb"),
    ),
    item("Animation (.glb)", "The rig with the timeline as weights", async () =>
      save(glbBlob(await writeGlb(app.head.file, app.frames())), "-animation.glb"),
    ),
    item("Curves (.csv)", "Action units, a row a frame", () => save(app.curves(), ".csv")),
    ...(app.metadata.arkit_shapes.length === 0
      ? []
      : [item("Live Link Face (.csv)", "ARKit's 52 shapes, a row a frame", () => save(liveLink(app), "-arkit.csv"))]),
  ];
  const project = [
    item("Project (.json)", "All keys and settings, to go on later", () => save(app.projectText(), ".json")),
  ];
  return [
    ...(app.names.length === 0 ? [] : [...project, ...moving]),
    item("Pose (.obj)", "The surface as it is now, in the file's own vertex order", () =>
      save(objText(app.head.file, app.head.positionsAt(app.pose)), ".obj"),
    ),
    item("Picture (.png)", "The view, clear behind the head", async () => {
      const png = await app.stage.picture();
      if (png !== null) save(png, ".png");
    }),
    ...(app.names.length === 0 ? [] : [item("Video (.webm)", "The view, once through the timeline", () => video(app))]),
  ];

  function item(label: string, hint: string, action: () => Promise<void> | void): MenuItem {
    return { label, hint, action: attempt(action) };
  }
}

function stem(app: App): string {
  return app.source.metadata.title.replace(/\.[a-z0-9]+$/i, "").replace(/[^\w-]+/g, "_") || "face";
}

function glbBlob(bytes: Uint8Array): Blob {
  return new Blob([bytes as BlobPart], { type: "model/gltf-binary" });
}

function liveLink(app: App): string {
  const { poses, fps } = app.frames();
  return liveLinkText(app.metadata, app.names, poses, fps);
}

/** Records the timeline from its start; pressing Escape ends it without a file. */
export async function video(app: App): Promise<void> {
  if (!recordsVideo(app.stage.canvas)) {
    return app.say("This browser cannot record video; Chrome, Edge, Firefox and Safari 14.1 can.", true);
  }
  const { fps, times } = app.frames();
  const abort = new AbortController();
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") abort.abort();
  };
  window.addEventListener("keydown", onKey);
  const style = getComputedStyle(document.documentElement);
  app.timeline.pause();
  app.stage.setBackground(style.getPropertyValue("--stage-outer").trim());
  try {
    const blob = await recordVideo(app.stage.canvas, {
      seconds: times[times.length - 1],
      fps,
      show: (time) => {
        app.timeline.seek(time);
        app.stage.render();
      },
      progress: (share) => app.say(`Recording, ${Math.round(100 * share)} %. Escape ends it.`),
      signal: abort.signal,
    });
    app.say(blob === null ? "Recording ended; nothing was saved." : `Recorded ${(blob.size / 1e6).toFixed(1)} MB.`);
    if (blob !== null) download(blob, `${stem(app)}.webm`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    app.say(`Not recorded: ${error.message}.`, true);
  } finally {
    app.stage.setBackground(null);
    window.removeEventListener("keydown", onKey);
  }
}

/** Hands a file to the reader's downloads. */
export function download(content: Blob | string, name: string): void {
  const blob = typeof content === "string" ? new Blob([content], { type: "text/plain" }) : content;
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(blob), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

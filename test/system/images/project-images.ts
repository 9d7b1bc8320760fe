// SPDX-License-Identifier: Apache-2.0
import {
  BUILD_BASE,
  baseImages,
  DOCKERFILE,
  IGNORED,
  openFolder,
  ROOT,
  RUNTIME_BASE,
  removeFolder,
} from "./base-images";
import { type Image, ImageBuild } from "./image-build";

export interface ProjectImages {
  readonly worker: Image;
  readonly service: Image;
  remove(): void;
}

/** The project's images, from its Dockerfile and the sources as they are. What npm installs is kept between runs. */
export async function buildProjectImages(buildArgs: Record<string, string> = {}): Promise<ProjectImages> {
  const folder = openFolder("images");
  try {
    const build = projectBuild(folder, buildArgs);
    return {
      worker: await build.target("worker"),
      service: await build.target("service"),
      remove: () => removeFolder(folder),
    };
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

export function projectBuild(workFolder: string, buildArgs: Record<string, string>): ImageBuild {
  const stands = baseImages(workFolder);
  const named = { [buildArgs.BUILD_BASE ?? BUILD_BASE]: stands[BUILD_BASE]! };
  const bases = { ...named, [buildArgs.RUNTIME_BASE ?? RUNTIME_BASE]: stands[RUNTIME_BASE]! };
  return new ImageBuild({
    dockerfile: DOCKERFILE,
    ignored: IGNORED,
    contextFolder: ROOT,
    bases,
    buildArgs,
    keptStages: ["packages", "production"],
    workFolder,
  });
}

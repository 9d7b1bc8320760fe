// SPDX-License-Identifier: Apache-2.0
import { DataflowError } from "../../../../engine/dataflow/dataflow-error";
import type { GoogleRest, Json } from "../../../../engine/dataflow/google-rest";
import { type Check, isKind } from "./check";

/**
 * The manifests of registries: lists of platforms, and of one platform (https://github.com/opencontainers/image-spec).
 */
const MANIFESTS = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const TITLE = "org.opencontainers.image.title";
const VERSION = "org.opencontainers.image.version";
const REFERENCE = /^([a-z0-9.-]+\.[a-z]+)\/([a-z0-9._/-]+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/**
 * Checks that the image is in its registry, is for machines of Dataflow, and is Viewmill's of this version; another
 * image has other functions.
 */
export const image: Check = async ({ rest, wanted }) => {
  const { reference, title, version, remedy } = wanted.image;
  try {
    const labels = await imageLabels(rest, reference);
    if (labels === undefined) return [{ what: `image ${reference} has no linux/amd64`, remedy }];
    if (labels[TITLE] !== title) {
      const is = labels[TITLE] === undefined ? `has no label ${TITLE}` : `is ${labels[TITLE]}`;
      return [{ what: `image ${reference} does not hold our module: it ${is}, not ${title}`, remedy }];
    }
    if (labels[VERSION] !== version) {
      return [
        { what: `image ${reference} is ${title} ${labels[VERSION] ?? "(no version)"}, this is ${version}`, remedy },
      ];
    }
    return [];
  } catch (error) {
    if (isKind(error, "not-found")) return [{ what: `image ${reference} does not exist`, remedy }];
    if (isKind(error, "refused")) return [{ what: (error as Error).message, remedy }];
    throw error;
  }
};

/**
 * Returns the labels of an image's configuration; undefined when the image is not for linux/amd64. Rejects with
 * DataflowError.
 */
async function imageLabels(rest: GoogleRest, reference: string): Promise<Record<string, string> | undefined> {
  const [, host, name, tag, digest] = REFERENCE.exec(reference) ?? [];
  if (host === undefined || name === undefined) {
    throw new DataflowError(`"${reference}" is no HOST/PROJECT/REPOSITORY/NAME:TAG of an image`, "refused");
  }
  const base = `https://${host}/v2/${name}`;
  const manifest = async (which: string): Promise<Json> =>
    rest.json({ url: `${base}/manifests/${which}`, headers: { accept: MANIFESTS } });
  let found = await manifest(digest ?? tag ?? "latest");
  if (Array.isArray(found.manifests)) {
    const platforms = found.manifests as readonly Json[];
    const ours = platforms.find(({ platform }) => isOurs(platform as Json | undefined));
    if (ours === undefined) return undefined;
    found = await manifest(String(ours.digest));
  }
  const { digest: configDigest } = found.config as Json;
  const configuration = await rest.json({ url: `${base}/blobs/${String(configDigest)}` });
  if (!isOurs(configuration)) return undefined;
  const { config } = configuration as { config?: { Labels?: Record<string, string> | null } };
  return config?.Labels ?? {};
}

const isOurs = (platform: Json | undefined): boolean => platform?.os === "linux" && platform.architecture === "amd64";

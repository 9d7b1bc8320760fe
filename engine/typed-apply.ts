// SPDX-License-Identifier: Apache-2.0
import type { PTransform } from "apache-beam/transforms/transform";

/**
 * The SDK declares PCollection.apply as returning `any`, so a graph would not be type-checked beyond its first stage.
 * This adds the signature that its own comment describes; it changes types only.
 */
declare module "apache-beam/pvalue" {
  interface PCollection<T> {
    apply<Out extends PValue<unknown>>(transform: PTransform<PCollection<T>, Out>): Out;
  }
}

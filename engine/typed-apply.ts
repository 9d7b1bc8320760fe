// SPDX-License-Identifier: Apache-2.0
import type { PTransform } from "apache-beam/transforms/transform";

/**
 * Types of PCollection.apply. The SDK declares its result as `any`, so that a graph would not be type-checked beyond
 * its first stage. This adds the signature that the SDK's own comment describes, and changes types only.
 */
declare module "apache-beam/pvalue" {
  interface PCollection<T> {
    apply<Out extends PValue<unknown>>(transform: PTransform<PCollection<T>, Out>): Out;
  }
}

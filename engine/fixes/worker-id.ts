// SPDX-License-Identifier: Apache-2.0
import type { Metadata } from "@grpc/grpc-js";
import { sdk } from "./sdk";

type GetDescriptor = (input: object, metadata: Metadata, callback: unknown) => unknown;

/**
 * Defect 9. GetProcessBundleDescriptor is called without the `worker_id` metadata that the Fn API requires. A runner
 * that serves several workers on one port (Prism) rejects the call, and no bundle runs. Fix: send the metadata of the
 * client's control stream, which contains the id.
 */
export function sendWorkerId(): void {
  const prototype = sdk.fnClients.BeamFnControlClient.prototype;
  const opened = new WeakMap<object, Metadata>();
  const control = prototype.control as (metadata: Metadata, options?: object) => ReturnType<typeof prototype.control>;
  prototype.control = function (this: object, metadata: Metadata, options?: object) {
    opened.set(this, metadata);
    return control.call(this, metadata, options);
  } as typeof prototype.control;
  const getDescriptor = prototype.getProcessBundleDescriptor as unknown as GetDescriptor;
  prototype.getProcessBundleDescriptor = function (this: object, input: object, ...rest: unknown[]) {
    const metadata = opened.get(this);
    if (rest.length !== 1 || metadata === undefined) return Reflect.apply(getDescriptor, this, [input, ...rest]);
    return getDescriptor.call(this, input, metadata, rest[0]);
  } as unknown as typeof prototype.getProcessBundleDescriptor;
}

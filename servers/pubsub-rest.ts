// SPDX-License-Identifier: Apache-2.0
/**
 * Envoy's configuration that makes a gRPC Pub/Sub speak REST. Two hops: Google's Java client gzips what it sends, and
 * the transcoder must see it decompressed, over HTTP/1 and before it. The Pub/Sub emulator starts Envoy with it.
 */
const TYPES = "type.googleapis.com/envoy.extensions";
const HTTP_FILTERS = `${TYPES}.filters.http`;
const TIMEOUT = "100s";
/** Above Pub/Sub's largest request (10 MB) in base64. */
const MAX_REQUEST_BYTES = 20_000_000;
const MAX_RESPONSE_BYTES = 40_000_000;

interface EnvoyPorts {
  grpc: number;
  rest: number;
  /** Between the two hops. */
  inner: number;
}

export function envoyConfig(ports: EnvoyPorts, descriptorFile: string): object {
  return {
    static_resources: {
      listeners: [
        listener("outer", ports.rest, "inner", DECOMPRESSOR),
        listener("inner", ports.inner, "grpc", transcoder(descriptorFile)),
      ],
      clusters: [cluster("inner", ports.inner), { ...cluster("grpc", ports.grpc), ...HTTP2 }],
    },
  };
}

const ROUTER = { name: "envoy.filters.http.router", typed_config: { "@type": `${HTTP_FILTERS}.router.v3.Router` } };

const DECOMPRESSOR = {
  name: "envoy.filters.http.decompressor",
  typed_config: {
    "@type": `${HTTP_FILTERS}.decompressor.v3.Decompressor`,
    decompressor_library: {
      name: "gzip",
      typed_config: { "@type": `${TYPES}.compression.gzip.decompressor.v3.Gzip`, max_inflate_ratio: 1000 },
    },
    response_direction_config: { common_config: { enabled: { default_value: false, runtime_key: "never" } } },
  },
};

const transcoder = (descriptorFile: string): object => ({
  name: "envoy.filters.http.grpc_json_transcoder",
  typed_config: {
    "@type": `${HTTP_FILTERS}.grpc_json_transcoder.v3.GrpcJsonTranscoder`,
    proto_descriptor: descriptorFile,
    services: ["google.pubsub.v1.Publisher", "google.pubsub.v1.Subscriber"],
    auto_mapping: false,
    convert_grpc_status: true,
    max_request_body_size: MAX_REQUEST_BYTES,
    max_response_body_size: MAX_RESPONSE_BYTES,
    print_options: { always_print_primitive_fields: false },
    query_param_unescape_plus: true,
    ignore_unknown_query_parameters: true,
  },
});

const listener = (name: string, port: number, to: string, filter: object): object => ({
  name,
  address: address(port),
  filter_chains: [
    {
      filters: [
        {
          name: "envoy.filters.network.http_connection_manager",
          typed_config: {
            "@type": `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
            stat_prefix: name,
            codec_type: "AUTO",
            stream_idle_timeout: "0s",
            route_config: {
              virtual_hosts: [
                {
                  name: "all",
                  domains: ["*"],
                  routes: [{ match: { prefix: "/" }, route: { cluster: to, timeout: TIMEOUT } }],
                },
              ],
            },
            http_filters: [filter, ROUTER],
          },
        },
      ],
    },
  ],
});

const cluster = (name: string, port: number): object => ({
  name,
  type: "STATIC",
  load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }] },
});

const HTTP2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": `${TYPES}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

const address = (port: number): object => ({ socket_address: { address: "127.0.0.1", port_value: port } });

// SPDX-License-Identifier: Apache-2.0
import { Type } from "avsc";
import { encodeBatch } from "../../../../io/formats/avro/batch";
import { fingerprint, SchemaRegistry, shippedSchema } from "../../../../io/formats/avro/schema-registry";
import { schemas } from "../../../../io/formats/avro/schemas";
import { columnsOf } from "../../../domain/model";

/**
 * CRC-64-AVRO of the primitive types, from the Avro project's own tests (share/test/data/schema-tests.txt), as Java
 * longs.
 */
test.each([
  ['"null"', 7195948357588979594n],
  ['"boolean"', -6970731678124411036n],
  ['"int"', 8247732601305521295n],
  ['"long"', -3434872931120570953n],
  ['"string"', -8142146995180207161n],
  ['"bytes"', 5746618253357095269n],
])("the fingerprint of %s is the Avro project's", (schema, expected) => {
  expect(fingerprint(schema).readBigInt64LE()).toBe(expected);
});

test("a schema's fingerprint does not see documentation and defaults", () => {
  const registry = new SchemaRegistry();
  const fields = [{ name: "a", type: "int" }];
  const plain = registry.add("plain", { type: "record", name: "R", fields } as never);
  const withDefault = [{ name: "a", doc: "of field", type: "int", default: 3 }];
  const documented = registry.add("documented", {
    type: "record",
    name: "R",
    doc: "of R",
    fields: withDefault,
  } as never);
  expect(documented.fingerprint).toEqual(plain.fingerprint);
});

test("the fingerprint of the batch schema is fixed: producers have it in their code", () => {
  const bytes = encodeBatch(columnsOf([]), { receivedAtMs: 0, producerId: "", batchId: "" });
  const canonical = JSON.stringify(Type.forSchema(shippedSchema("batch-v1")).schema());
  expect(bytes.toString("hex", 0, 10)).toBe(`c301${fingerprint(canonical).toString("hex")}`);
  expect(bytes.toString("hex", 2, 10)).toBe("861958bc2731469a");
  expect(schemas.find(bytes.subarray(2, 10))?.name).toBe("batch-v1");
});

test("a fingerprint nobody registered finds nothing", () => {
  expect(schemas.find(Buffer.alloc(8))).toBeUndefined();
});

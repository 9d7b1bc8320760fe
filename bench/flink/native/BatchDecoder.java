package viewmill.bench;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.metrics.Counter;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Events of a batch message: Avro single-object encoding of Viewmill's batch schema, decoded by hand column by column.
 * Events that came too late are dropped here, by the receipt time in the batch, as Viewmill's own rule is.
 */
final class BatchDecoder implements KafkaRecordDeserializationSchema<Event> {
  private static final long serialVersionUID = 1;
  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final int ID_BYTES = 16;

  /** C3 01 and the fingerprint of the schema. */
  private final byte[] prefix;
  private final long allowedLatenessMs;

  private transient Event event;
  private transient Counter late;
  private transient int[] videoIndex;
  private transient int[] typeIndex;
  private transient long[] times;
  private transient long[] valueRows;
  private transient long[] values;

  BatchDecoder(byte[] prefix, long allowedLatenessMs) {
    this.prefix = prefix;
    this.allowedLatenessMs = allowedLatenessMs;
  }

  @Override
  public void open(DeserializationSchema.InitializationContext context) {
    event = new Event();
    late = context.getMetricGroup().counter("lateEvents");
    grow(1024);
  }

  private void grow(int count) {
    videoIndex = new int[count];
    typeIndex = new int[count];
    times = new long[count];
    valueRows = new long[count];
    values = new long[count];
  }

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Event> out) throws IOException {
    byte[] bytes = record.value();
    if (bytes == null || bytes.length < prefix.length || !Arrays.equals(bytes, 0, prefix.length, prefix, 0, prefix.length))
      throw new IOException("not a batch of the schema this job reads");
    AvroBytes avro = new AvroBytes(bytes, prefix.length);
    long receivedAtMs = avro.number();
    avro.skipText();
    avro.skipText();
    int count = avro.size();
    if (count > times.length) grow(count);
    int idBytes = avro.size();
    if (idBytes != count * ID_BYTES) throw new IOException("ids must hold 16 bytes an event");
    int ids = avro.skip(idBytes);
    String[] videos = avro.names();
    avro.indices(videoIndex, count, videos.length);
    String[] types = avro.names();
    avro.indices(typeIndex, count, types.length);
    long baseMs = avro.number();
    if (avro.numbers(times) != count) throw new IOException("times are fewer than events");
    int valued = avro.numbers(valueRows);
    if (avro.numbers(values) != valued) throw new IOException("valueRows and values differ in length");
    event.appendedAtMs = record.timestamp();
    for (int row = 0, next = 0; row < count; row++) {
      boolean hasValue = next < valued && valueRows[next] == row;
      event.value = hasValue ? values[next++] : 0;
      event.timeMs = baseMs + times[row];
      if (receivedAtMs - event.timeMs > allowedLatenessMs) {
        late.inc();
        continue;
      }
      event.idHigh = (long) LONG.get(bytes, ids + row * ID_BYTES);
      event.idLow = (long) LONG.get(bytes, ids + row * ID_BYTES + 8);
      event.video = videos[videoIndex[row]];
      event.type = types[typeIndex[row]];
      out.collect(event);
    }
  }

  @Override
  public TypeInformation<Event> getProducedType() {
    return new FlatType<>(Event.class);
  }
}

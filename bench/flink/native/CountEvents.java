package viewmill.bench;

import java.time.Duration;
import java.util.HexFormat;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.java.utils.ParameterTool;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.time.Time;

/**
 * Viewmill's job written by hand on Flink's DataStream API, to measure against: batches of a Kafka topic, each event once, counts and sums
 * by video, type and minute. Reads what the topic holds when it starts, and ends. State backend and checkpoint folder are the cluster's.
 */
public final class CountEvents {
  private CountEvents() {}

  public static void main(String[] args) throws Exception {
    ParameterTool options = ParameterTool.fromArgs(args);
    Duration lateness = Duration.ofMillis(options.getLong("allowed-lateness-ms"));
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(options.getInt("parallelism"));
    env.enableCheckpointing(options.getLong("checkpoint-interval-ms"));
    env.getConfig().enableObjectReuse();
    env.getConfig().disableGenericTypes();

    byte[] prefix = HexFormat.of().parseHex(options.getRequired("batch-prefix"));
    KafkaSource<Event> topic =
        KafkaSource.<Event>builder()
            .setBootstrapServers(options.getRequired("brokers"))
            .setTopics(options.getRequired("topic"))
            .setGroupId("native-flink")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(OffsetsInitializer.latest())
            .setDeserializer(new BatchDecoder(prefix, lateness.toMillis()))
            .setProperty("fetch.max.bytes", String.valueOf(16 << 20))
            .setProperty("max.partition.fetch.bytes", String.valueOf(8 << 20))
            .build();
    long graceMs = options.getLong("grace-ms");
    WatermarkStrategy<Event> watermarks =
        WatermarkStrategy.<Event>forGenerator(context -> new AppendTimeWatermarks(graceMs))
            .withTimestampAssigner((event, appendedAtMs) -> event.timeMs);

    DataStream<Hit> hits =
        env.fromSource(topic, watermarks, "Read")
            .keyBy(EventIdentity::of, new FlatType<>(EventIdentity.class))
            .process(new DropRepeats(lateness), new FlatType<>(Hit.class))
            .name("DropRepeats");
    hits.keyBy(VideoType::of, new FlatType<>(VideoType.class))
        .window(TumblingEventTimeWindows.of(Time.minutes(1)))
        // The watermark runs ahead of receipt by what clocks differ; what is too late is decided by the receipt time alone.
        .allowedLateness(Time.milliseconds(lateness.plusMinutes(10).toMillis()))
        .trigger(new LateInOneFiring(options.getLong("late-firing-ms")))
        .aggregate(new AddUp(), new ToCell(), new FlatType<>(Totals.class), new FlatType<>(Cell.class))
        .name("CountPerMinute")
        .addSink(new CellWriter(options.getRequired("output")))
        .name("WriteCells");
    env.execute("native-flink");
  }
}

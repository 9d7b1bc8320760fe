import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.DiscardingSink;

/**
 * Submits, to the cluster whose REST host and port are given, with the jar given: sums for ever, with state and a checkpoint every half
 * second; takes every slot of two TaskManagers with two. Prints the job's id.
 */
public class CountingJob {
  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment environment = 
        StreamExecutionEnvironment.createRemoteEnvironment(args[0], Integer.parseInt(args[1]), args[2]);
    environment.setParallelism(4);
    environment.enableCheckpointing(500);
    environment
        .fromSequence(0, Long.MAX_VALUE)
        .map(
            number -> {
              Thread.sleep(1);
              return number;
            })
        .returns(Types.LONG)
        .keyBy(number -> number % 10, Types.LONG)
        .reduce(Long::sum)
        .addSink(new DiscardingSink<>());
    System.out.println(environment.executeAsync("counting").getJobID());
  }
}

package viewmill.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** A record that writes its own few fields: what Flink's POJO serializer would do by reflection, with a flag for each field. */
interface Flat<T> {
  T fresh();

  void set(T other);

  void write(DataOutputView out) throws IOException;

  void read(DataInputView in) throws IOException;
}

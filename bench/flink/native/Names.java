package viewmill.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Names of videos and event types in binary: both are ASCII of at most 128 characters; the usual types are one byte. */
final class Names {
  private static final String[] USUAL_TYPES = {"VIEW", "LIKE", "SHARE"};
  private static final int OTHER_TYPE = 255;

  private Names() {}

  static void write(String name, DataOutputView out) throws IOException {
    byte[] bytes = name.getBytes(StandardCharsets.ISO_8859_1);
    out.writeByte(bytes.length);
    out.write(bytes);
  }

  static String read(DataInputView in) throws IOException {
    byte[] bytes = new byte[in.readUnsignedByte()];
    in.readFully(bytes);
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  static void writeType(String type, DataOutputView out) throws IOException {
    for (int code = 0; code < USUAL_TYPES.length; code++) {
      if (USUAL_TYPES[code].equals(type)) {
        out.writeByte(code);
        return;
      }
    }
    out.writeByte(OTHER_TYPE);
    write(type, out);
  }

  static String readType(DataInputView in) throws IOException {
    int code = in.readUnsignedByte();
    return code == OTHER_TYPE ? read(in) : USUAL_TYPES[code];
  }
}

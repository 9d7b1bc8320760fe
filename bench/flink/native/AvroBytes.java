package viewmill.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** The few kinds of Avro's binary encoding that a batch has. Arrays are read block by block. */
final class AvroBytes {
  private final byte[] bytes;
  private int position;

  AvroBytes(byte[] bytes, int position) {
    this.bytes = bytes;
    this.position = position;
  }

  int position() {
    return position;
  }

  boolean atEnd() {
    return position == bytes.length;
  }

  /** A zigzag varint. */
  long number() throws IOException {
    long bits = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (position >= bytes.length) throw new IOException("the data ends inside a number");
      byte next = bytes[position++];
      bits |= (next & 127L) << shift;
      if (next >= 0) return (bits >>> 1) ^ -(bits & 1);
    }
    throw new IOException("a number has more than 10 bytes");
  }

  int size() throws IOException {
    long size = number();
    if (size < 0 || size > bytes.length - position) throw new IOException("a length beyond the data");
    return (int) size;
  }

  /** Where the bytes of a value begin. */
  int skip(int length) throws IOException {
    if (length > bytes.length - position) throw new IOException("the data ends inside a value");
    int start = position;
    position += length;
    return start;
  }

  void skipText() throws IOException {
    skip(size());
  }

  private int blockItems() throws IOException {
    long items = number();
    if (items < 0) {
      items = -items;
      number();
    }
    if (items > bytes.length - position) throw new IOException("an array claims more items than there are bytes");
    return (int) items;
  }

  String[] names() throws IOException {
    String[] names = new String[0];
    for (int items = blockItems(); items > 0; items = blockItems()) {
      int at = names.length;
      names = at == 0 ? new String[items] : java.util.Arrays.copyOf(names, at + items);
      for (int end = at + items; at < end; at++) {
        int length = size();
        names[at] = new String(bytes, skip(length), length, StandardCharsets.ISO_8859_1);
      }
    }
    return names;
  }

  /** An array of indices below `limit`, into `target`; how many must be `count`. */
  void indices(int[] target, int count, int limit) throws IOException {
    int at = 0;
    for (int items = blockItems(); items > 0; items = blockItems()) {
      if (at + items > count) throw new IOException("an array is longer than the batch");
      for (int end = at + items; at < end; at++) {
        long index = number();
        if (index < 0 || index >= limit) throw new IOException("an index is out of range");
        target[at] = (int) index;
      }
    }
    if (at != count) throw new IOException("an array is shorter than the batch");
  }

  /** An array of numbers, at most as many as `target` holds; how many there were. */
  int numbers(long[] target) throws IOException {
    int at = 0;
    for (int items = blockItems(); items > 0; items = blockItems()) {
      if (at + items > target.length) throw new IOException("an array is longer than the batch");
      for (int end = at + items; at < end; at++) target[at] = number();
    }
    return at;
  }
}

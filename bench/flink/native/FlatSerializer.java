package viewmill.bench;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Serializer of a Flat record. Its snapshot names the record's class; the layout never changes within a job. */
final class FlatSerializer<T extends Flat<T>> extends TypeSerializer<T> {
  private static final long serialVersionUID = 1;

  private final Class<T> type;
  private transient T prototype;

  FlatSerializer(Class<T> type) {
    this.type = type;
  }

  @Override
  public boolean isImmutableType() {
    return false;
  }

  @Override
  public TypeSerializer<T> duplicate() {
    return this;
  }

  @Override
  public T createInstance() {
    if (prototype == null) {
      try {
        prototype = type.getDeclaredConstructor().newInstance();
      } catch (ReflectiveOperationException error) {
        throw new IllegalStateException(type + " has no constructor without arguments", error);
      }
    }
    return prototype.fresh();
  }

  @Override
  public T copy(T from) {
    T copy = from.fresh();
    copy.set(from);
    return copy;
  }

  @Override
  public T copy(T from, T reuse) {
    reuse.set(from);
    return reuse;
  }

  @Override
  public int getLength() {
    return -1;
  }

  @Override
  public void serialize(T record, DataOutputView target) throws IOException {
    record.write(target);
  }

  @Override
  public T deserialize(DataInputView source) throws IOException {
    return deserialize(createInstance(), source);
  }

  @Override
  public T deserialize(T reuse, DataInputView source) throws IOException {
    reuse.read(source);
    return reuse;
  }

  @Override
  public void copy(DataInputView source, DataOutputView target) throws IOException {
    deserialize(source).write(target);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FlatSerializer && ((FlatSerializer<?>) other).type == type;
  }

  @Override
  public int hashCode() {
    return type.hashCode();
  }

  @Override
  public TypeSerializerSnapshot<T> snapshotConfiguration() {
    return new Snapshot<>(type);
  }

  public static final class Snapshot<T extends Flat<T>> implements TypeSerializerSnapshot<T> {
    private Class<T> type;

    public Snapshot() {}

    Snapshot(Class<T> type) {
      this.type = type;
    }

    @Override
    public int getCurrentVersion() {
      return 1;
    }

    @Override
    public void writeSnapshot(DataOutputView out) throws IOException {
      out.writeUTF(type.getName());
    }

    @Override
    @SuppressWarnings("unchecked")
    public void readSnapshot(int version, DataInputView in, ClassLoader loader) throws IOException {
      try {
        type = (Class<T>) Class.forName(in.readUTF(), false, loader);
      } catch (ClassNotFoundException error) {
        throw new IOException(error);
      }
    }

    @Override
    public TypeSerializer<T> restoreSerializer() {
      return new FlatSerializer<>(type);
    }

    @Override
    public TypeSerializerSchemaCompatibility<T> resolveSchemaCompatibility(TypeSerializer<T> other) {
      return other.equals(restoreSerializer())
          ? TypeSerializerSchemaCompatibility.compatibleAsIs()
          : TypeSerializerSchemaCompatibility.incompatible();
    }
  }
}

package viewmill.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** What makes two events the same one: id, video and type, within one minute of event time. */
final class EventIdentity implements Flat<EventIdentity> {
  private long idHigh;
  private long idLow;
  private String video;
  private String type;
  private int minute;

  static EventIdentity of(Event event) {
    EventIdentity identity = new EventIdentity();
    identity.idHigh = event.idHigh;
    identity.idLow = event.idLow;
    identity.video = event.video;
    identity.type = event.type;
    identity.minute = (int) Math.floorDiv(event.timeMs, Event.MINUTE_MS);
    return identity;
  }

  @Override
  public EventIdentity fresh() {
    return new EventIdentity();
  }

  @Override
  public void set(EventIdentity other) {
    idHigh = other.idHigh;
    idLow = other.idLow;
    video = other.video;
    type = other.type;
    minute = other.minute;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeLong(idHigh);
    out.writeLong(idLow);
    Names.write(video, out);
    Names.writeType(type, out);
    out.writeInt(minute);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    idHigh = in.readLong();
    idLow = in.readLong();
    video = Names.read(in);
    type = Names.readType(in);
    minute = in.readInt();
  }

  @Override
  public boolean equals(Object object) {
    if (!(object instanceof EventIdentity)) return false;
    EventIdentity other = (EventIdentity) object;
    return idHigh == other.idHigh
        && idLow == other.idLow
        && minute == other.minute
        && type.equals(other.type)
        && video.equals(other.video);
  }

  /** Of the id alone: it has 128 bits, of which the low 62 of a UUIDv7 are random. */
  @Override
  public int hashCode() {
    long mixed = (idHigh * 31 + idLow) * 0x9e3779b97f4a7c15L;
    return (int) (mixed >>> 32);
  }
}

package viewmill.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** The key that is counted by, within each minute. */
final class VideoType implements Flat<VideoType> {
  String video;
  String type;

  static VideoType of(Hit hit) {
    VideoType key = new VideoType();
    key.video = hit.video;
    key.type = hit.type;
    return key;
  }

  @Override
  public VideoType fresh() {
    return new VideoType();
  }

  @Override
  public void set(VideoType other) {
    video = other.video;
    type = other.type;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    Names.write(video, out);
    Names.writeType(type, out);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    video = Names.read(in);
    type = Names.readType(in);
  }

  @Override
  public boolean equals(Object object) {
    if (!(object instanceof VideoType)) return false;
    VideoType other = (VideoType) object;
    return video.equals(other.video) && type.equals(other.type);
  }

  @Override
  public int hashCode() {
    return video.hashCode() * 31 + type.hashCode();
  }
}

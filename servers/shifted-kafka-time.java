package org.apache.kafka.common.utils;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;
import org.apache.kafka.common.errors.TimeoutException;

/**
 * Stands before Kafka's class of this name on the broker's class path. The time of day is ahead of the machine's by the milliseconds that a
 * file holds, and jumps when the file changes; what Kafka measures by nanoseconds, its timers among it, stays as it is.
 */
class SystemTime implements Time {
  private static final long POLL_MS = 50;
  private static final SystemTime SYSTEM_TIME = new SystemTime();

  private final Path file = Path.of(System.getProperty("viewmill.clock"));
  private volatile long aheadMs = readAhead();

  private SystemTime() {
    Thread follower = new Thread(this::follow, "viewmill-clock");
    follower.setDaemon(true);
    follower.start();
  }

  public static SystemTime getSystemTime() {
    return SYSTEM_TIME;
  }

  @Override
  public long milliseconds() {
    return System.currentTimeMillis() + aheadMs;
  }

  @Override
  public long nanoseconds() {
    return System.nanoTime();
  }

  @Override
  public void sleep(long ms) {
    Utils.sleep(ms);
  }

  @Override
  public void waitObject(Object object, Supplier<Boolean> condition, long deadlineMs) throws InterruptedException {
    synchronized (object) {
      while (!condition.get()) {
        long leftMs = deadlineMs - milliseconds();
        if (leftMs <= 0) throw new TimeoutException("Condition not satisfied before deadline");
        object.wait(leftMs);
      }
    }
  }

  private void follow() {
    while (true) {
      aheadMs = readAhead();
      Utils.sleep(POLL_MS);
    }
  }

  private long readAhead() {
    try {
      return Long.parseLong(Files.readString(file).trim());
    } catch (IOException gone) {
      return aheadMs;
    }
  }
}

package org.tensorflow.lite;

import java.nio.ByteBuffer;

/** The signatures of LiteRT's Interpreter that the printed lines use; it answers with its first input bytes. */
public class Interpreter implements AutoCloseable {
  public static class Options {
    public Options setNumThreads(int numThreads) {
      return this;
    }
  }

  public Interpreter(ByteBuffer byteBuffer, Options options) {
    if (byteBuffer.get(0) != 'm') throw new IllegalArgumentException("not the model");
  }

  public void run(Object input, Object output) {
    ByteBuffer from = (ByteBuffer) input, to = (ByteBuffer) output;
    for (int i = 0; i < to.capacity(); ++i) to.put(i, from.get(i));
  }

  @Override
  public void close() {}
}

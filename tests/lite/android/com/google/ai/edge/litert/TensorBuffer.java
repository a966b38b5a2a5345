package com.google.ai.edge.litert;

/** The signatures of LiteRT's TensorBuffer that the printed lines use. */
public class TensorBuffer implements AutoCloseable {
  private float[] values = new float[0];

  public void writeFloat(float[] data) {
    values = data.clone();
  }

  public float[] readFloat() {
    return values.clone();
  }

  @Override
  public void close() {}
}

package com.google.ai.edge.litert;

import android.content.res.AssetManager;
import java.util.List;

/** The signatures of LiteRT's CompiledModel that the printed lines use; it answers with its input. */
public class CompiledModel implements AutoCloseable {
  public static class Options {
    public Options(Accelerator... accelerators) {}
  }

  public static CompiledModel create(AssetManager assetManager, String assetName, Options options) {
    return new CompiledModel();
  }

  public List<TensorBuffer> createInputBuffers() {
    return List.of(new TensorBuffer());
  }

  public List<TensorBuffer> createOutputBuffers() {
    return List.of(new TensorBuffer());
  }

  public void run(List<TensorBuffer> inputs, List<TensorBuffer> outputs) {
    outputs.get(0).writeFloat(inputs.get(0).readFloat());
  }

  @Override
  public void close() {}
}

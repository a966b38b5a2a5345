package com.google.ai.edge.litert;

/** What LiteRT's CompiledModel can compute on. */
public enum Accelerator {
  NONE,
  CPU,
  GPU,
  NPU
}

package android.content.res;

import java.io.IOException;

/** What the printed lines use of it. */
public final class AssetManager {
  public AssetFileDescriptor openFd(String fileName) throws IOException {
    return new AssetFileDescriptor(fileName);
  }
}

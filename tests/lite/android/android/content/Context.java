package android.content;

import android.content.res.AssetManager;

/** What the printed lines use of it. */
public abstract class Context {
  public abstract AssetManager getAssets();
}

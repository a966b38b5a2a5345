import android.content.Context
import android.content.res.AssetManager

private class App : Context() {
    override fun getAssets() = AssetManager::class.java.getDeclaredConstructor().newInstance()
}

fun main(arguments: Array<String>) {
    EmotionClassifier(App()).use { classifier ->
        val pixels = ByteArray(arguments[0].toInt())
        for ((index, value) in listOf(200, 0, 255).withIndex()) pixels[index] = value.toByte()
        println(classifier.probabilities(pixels).joinToString(" "))
        println(classifier.classNames.joinToString("|"))
        try {
            classifier.probabilities(ByteArray(1))
        } catch (error: IllegalArgumentException) {
            println(error.message)
        }
        AcceleratedClassifier(App()).use { println(it.probabilities(pixels).take(3).joinToString(" ")) }
    }
}

namespace Oriva.Realtime.Bench;

/// <summary>The bench cannot go on, or has seen a server break its promise. The message is for the person at the console.</summary>
internal sealed class BenchException(string message, Exception? inner = null) : Exception(message, inner);

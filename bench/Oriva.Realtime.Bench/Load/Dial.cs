using System.Net;

namespace Oriva.Realtime.Bench.Load;

/// <summary>How a connection comes about.</summary>
/// <param name="Local">The address to connect from: one address has 28,000 ports to the same server.</param>
/// <param name="FromStart">It first gets everything that is kept.</param>
/// <param name="IsNarrow">The system takes next to nothing in for it, so that the server feels at once when it is not read.</param>
internal sealed record Dial(IPAddress Local, bool FromStart = false, bool IsNarrow = false);

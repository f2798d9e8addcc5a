using System.Collections;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>The groups that a connection is in, and the contract's names for those that follow its subscriptions.</summary>
internal sealed class GroupNames : IEnumerable<string>
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    public static string OfApp(string app) => $"app:{app}";

    public static string OfUser(string app, string userId) => $"app:{app}:user:{userId}";

    public static string OfTopic(string app, string topic) => $"app:{app}:topic:{topic}";

    public bool Add(string name)
    {
        lock (_names)
            return _names.Add(name);
    }

    public bool Remove(string name)
    {
        lock (_names)
            return _names.Remove(name);
    }

    public IEnumerable<string> In(string app) => this.Where(name => name == OfApp(app) || name.StartsWith(OfApp(app) + ":", StringComparison.Ordinal));

    public IEnumerator<string> GetEnumerator()
    {
        lock (_names)
            return ((IEnumerable<string>)[.. _names]).GetEnumerator();
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

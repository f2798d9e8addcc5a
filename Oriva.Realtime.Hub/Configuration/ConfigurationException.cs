namespace Oriva.Realtime.Hub.Configuration;

/// <summary>The node cannot start with these settings. The message names each key and is meant for the operator; a stack trace would add nothing.</summary>
internal sealed class ConfigurationException(string message) : Exception(message)
{
    public static ConfigurationException For(IEnumerable<string> faults) =>
        new("The configuration is wrong:" + Environment.NewLine + string.Join(Environment.NewLine, faults.Select(fault => "  - " + fault)));
}

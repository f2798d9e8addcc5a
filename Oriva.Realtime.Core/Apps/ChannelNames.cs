namespace Oriva.Realtime.Core.Apps;

/// <summary>The channels that a manifest may name.</summary>
public static class ChannelNames
{
    public const string InApp = "in_app";
    public const string Websocket = "websocket";
    public const string Push = "push";
    public const string Email = "email";
    public const string Webhook = "webhook";

    public static readonly string[] All = [InApp, Websocket, Push, Email, Webhook];
}

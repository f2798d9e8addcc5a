namespace Oriva.Realtime.Bench.Servers;

/// <summary>The servers as the command line names them.</summary>
internal static class ServerKeys
{
    public const string Ours = "ours";
    public const string Bare = "bare";
    public const string BareRedis = "bare-redis";
    public const string SocketIo = "socketio";
    public const string SocketIoRedis = "socketio-redis";

    public static readonly string[] All = [Ours, Bare, BareRedis, SocketIo, SocketIoRedis];
}

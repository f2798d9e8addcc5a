using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace Oriva.Realtime.Tests.Notifications;

/// <summary>A browser that has subscribed: it alone can read what it is sent (RFC 8291 over RFC 8188, one record).</summary>
internal sealed class PushBrowser(string endpoint, string? privateKey = null, string? auth = null) : IDisposable
{
    private const int Header = 16 + 4 + 1;
    private const int Tag = 16;

    private readonly ECDiffieHellman _key = privateKey is null
        ? ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256)
        : ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = Base64Url.DecodeFromChars(privateKey) });

    private readonly byte[] _auth = auth is null ? RandomNumberGenerator.GetBytes(16) : Base64Url.DecodeFromChars(auth);

    public string Endpoint { get; } = endpoint;

    public string P256dh => Base64Url.EncodeToString(PublicKey);

    public string Auth => Base64Url.EncodeToString(_auth);

    private byte[] PublicKey
    {
        get
        {
            var point = _key.ExportParameters(includePrivateParameters: false).Q;
            return [0x04, .. point.X!, .. point.Y!];
        }
    }

    /// <summary>What <c>PushSubscription.toJSON()</c> makes, with the app.</summary>
    public object ToRequest(string app) => new { app, endpoint = Endpoint, expirationTime = (long?)null, keys = new { p256dh = P256dh, auth = Auth } };

    public JsonElement Read(byte[] body) => JsonElement.Parse(Decrypt(body));

    public byte[] Decrypt(byte[] body)
    {
        var recordSize = BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(16));
        var sender = body.AsSpan(Header, body[20]).ToArray();
        var record = body.AsSpan(Header + sender.Length).ToArray();
        record.Length.ShouldBeLessThanOrEqualTo(recordSize, "it is one record");

        using var senderKey = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = sender[1..33], Y = sender[33..] } });
        var agreed = HKDF.Extract(HashAlgorithmName.SHA256, _key.DeriveRawSecretAgreement(senderKey.PublicKey), _auth);
        var material = HKDF.Expand(HashAlgorithmName.SHA256, agreed, 32, [.. "WebPush: info\0"u8, .. PublicKey, .. sender]);
        var pseudorandom = HKDF.Extract(HashAlgorithmName.SHA256, material, body[..16]);
        using var cipher = new AesGcm(HKDF.Expand(HashAlgorithmName.SHA256, pseudorandom, 16, "Content-Encoding: aes128gcm\0"u8.ToArray()), Tag);
        var padded = new byte[record.Length - Tag];
        cipher.Decrypt(HKDF.Expand(HashAlgorithmName.SHA256, pseudorandom, 12, "Content-Encoding: nonce\0"u8.ToArray()), record[..^Tag], record[^Tag..], padded);
        var end = Array.FindLastIndex(padded, octet => octet != 0);
        padded[end].ShouldBe((byte)2, "it is the last record");
        return padded[..end];
    }

    public void Dispose() => _key.Dispose();
}

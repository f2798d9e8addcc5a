using System.Buffers.Text;
using System.Security.Cryptography;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>Keys on the curve P-256 as web push writes them: base64url of the uncompressed point (65 bytes) or of the secret (32 bytes).</summary>
public static class P256
{
    private const int Coordinate = 32;
    private const byte Uncompressed = 0x04;

    /// <returns>The same point, without padding; null: it is no point on the curve.</returns>
    public static string? ReadPublicKey(string? text)
    {
        if (ReadBytes(text) is not [Uncompressed, ..] point || point.Length != 1 + (2 * Coordinate))
            return null;
        try
        {
            using var key = ECDiffieHellman.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = new ECPoint { X = point[1..(1 + Coordinate)], Y = point[(1 + Coordinate)..] },
            });
            return Base64Url.EncodeToString(point);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <returns>Null: it is no private key.</returns>
    public static string? PublicKeyOf(string? privateKey)
    {
        try
        {
            using var key = Import(privateKey);
            var point = key.ExportParameters(includePrivateParameters: false).Q;
            return Base64Url.EncodeToString([Uncompressed, .. point.X!, .. point.Y!]);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <returns>Null: it is no base64url.</returns>
    public static byte[]? ReadBytes(string? text)
    {
        try
        {
            return text is null ? null : Base64Url.DecodeFromChars(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <exception cref="CryptographicException">It is no private key.</exception>
    internal static ECDsa Import(string? privateKey) => ReadBytes(privateKey) is { Length: Coordinate } secret
        ? ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = secret })
        : throw new CryptographicException("A private key has 32 bytes.");
}

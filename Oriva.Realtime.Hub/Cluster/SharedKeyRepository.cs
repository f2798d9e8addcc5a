using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Oriva.Realtime.Core.Cluster;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>ASP.NET's data protection keys in the store, so that what one node protects, every other can read.</summary>
internal sealed class SharedKeyRepository(SharedKeys keys) : IXmlRepository
{
    public IReadOnlyCollection<XElement> GetAllElements() => [.. keys.Read().Select(XElement.Parse)];

    public void StoreElement(XElement element, string friendlyName) => keys.Add(friendlyName, element.ToString(SaveOptions.DisableFormatting));
}

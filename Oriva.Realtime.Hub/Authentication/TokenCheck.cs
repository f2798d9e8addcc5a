using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>Checks a token that comes otherwise than with a request: a connection's <c>Renew</c>.</summary>
public delegate Task<Outcome<Caller>> TokenCheck(string token, CancellationToken cancellationToken);

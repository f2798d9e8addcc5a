using Oriva.Realtime.Hub.Connections;

namespace Oriva.Realtime.Tests.EndToEnd;

public sealed class RealtimeProtocolTests
{
    [Theory]
    [InlineData("An unexpected error occurred invoking 'Subscribe' on the server. HubException: app_forbidden: No.", "app_forbidden: No.")]
    [InlineData("Connection closed with an error. HubException: limit_exceeded: Too many.", "limit_exceeded: Too many.")]
    [InlineData("An unexpected error occurred invoking 'Subscribe' on the server. HubException: Method does not exist.", "not_found: Method does not exist.")]
    [InlineData("Failed to invoke 'Subscribe' due to an error on the server.", "malformed: Failed to invoke 'Subscribe' due to an error on the server.")]
    [InlineData("An unexpected error occurred invoking 'Subscribe' on the server.", "internal: The service failed. Its log has the details.")]
    [InlineData("An unexpected error occurred invoking 'Subscribe' on the server. NpgsqlException: Host=db;Password=secret", "internal: The service failed. Its log has the details.")]
    public void WhatTheClientReads_BeginsWithACode_AndTellsNothingOfTheInside(string error, string read) => RealtimeProtocol.Code(error).ShouldBe(read);
}

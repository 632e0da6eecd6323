import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.app.Connection;
import ca.uhn.hl7v2.llp.MinLowerLayerProtocol;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.util.Terser;
import ca.uhn.hl7v2.validation.impl.ValidationContextFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** HAPI's initiator: sends each file to localhost:port on one connection, and prints MSA-1 and MSA-2 of each answer. */
public final class HapiSender {
    public static void main(String[] arguments) throws Exception {
        try (HapiContext context = new DefaultHapiContext()) {
            context.setValidationContext(ValidationContextFactory.noValidation());
            MinLowerLayerProtocol framing = new MinLowerLayerProtocol();
            framing.setCharset(StandardCharsets.UTF_8);
            context.setLowerLayerProtocol(framing);
            Connection connection = context.newClient("localhost", Integer.parseInt(arguments[0]), false);
            for (int place = 1; place < arguments.length; place++) {
                String text = Files.readString(Path.of(arguments[place]), StandardCharsets.UTF_8);
                Message message = context.getPipeParser().parse(text);
                Terser answer = new Terser(connection.getInitiator().sendAndReceive(message));
                System.out.println(answer.get("/MSA-1") + " " + answer.get("/MSA-2"));
            }
            connection.close();
        }
    }

    private HapiSender() {}
}

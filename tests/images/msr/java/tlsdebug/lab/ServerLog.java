package tlsdebug.lab;

import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** The server log as Integration Server 10.15 writes it to the console. */
final class ServerLog {
    private static final DateTimeFormatter DATE_STAMP =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss z", Locale.ENGLISH);

    private ServerLog() {}

    /** @param code product, facility, number and level, such as {@code ISS.0014.0002I} */
    static void write(String code, String text) {
        @SuppressWarnings("deprecation") // Thread.threadId() is too young for the older JDKs this runs on
        long thread = Thread.currentThread().getId();
        String line = "ISSERVER|| " + DATE_STAMP.format(ZonedDateTime.now()) + " [" + code + "] (tid=" + thread + ") "
                + text;
        System.out.println(line);
    }
}
